/** What templates print, and the filters they send it through. */

/** Text that is markup already. */
export interface Markup {
  markup: string;
}

export type Value = string | number | boolean | Markup;

const KIB = 1024;
const UNITS = ["B", "KB", "MB", "GB", "TB"];

const filters: Readonly<Record<string, (value: Value) => Value>> = {
  cleanDomain: (value) => textOf(value).replace(/^\[|\]$/g, ""),
  formatBytes: (value) => formatBytes(Number(textOf(value))),
  upper: (value) => textOf(value).toUpperCase(),
  lower: (value) => textOf(value).toLowerCase(),
  safeHTML: (value) => ({ markup: textOf(value) }),
  safeURL: (value) => value,
  safe: (value) => ({ markup: textOf(value) }),
};

export function isFilter(name: string): boolean {
  return Object.hasOwn(filters, name);
}

/** @param name one of the filters */
export function applyFilter(name: string, value: Value): Value {
  return filters[name]?.(value) ?? value;
}

export function textOf(value: Value): string {
  return typeof value === "object" ? value.markup : String(value);
}

/** As Go has it: empty text, zero and false are not. */
export function isTrue(value: Value): boolean {
  if (typeof value === "object") return value.markup !== "";
  return value !== "" && value !== 0 && value !== false;
}

/** 1024-based, as the predecessors print it: `1.0 GB`. */
function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return "";
  let value = bytes;
  let unit = 0;
  while (value >= KIB && unit < UNITS.length - 1) {
    value /= KIB;
    unit++;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${UNITS[unit]}`;
}
