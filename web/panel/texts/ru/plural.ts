/** Russian has three forms of a noun behind a number: 1 письмо, 2 письма, 5 писем. */
const rules = new Intl.PluralRules("ru");

export function plural(count: number, one: string, few: string, many: string): string {
  const form = rules.select(count);
  return `${count} ${form === "one" ? one : form === "few" ? few : many}`;
}
