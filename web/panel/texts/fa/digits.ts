/** Numbers inside Persian sentences have Persian digits. */
const format = new Intl.NumberFormat("fa", { useGrouping: false });

export function digits(value: number): string {
  return format.format(value);
}
