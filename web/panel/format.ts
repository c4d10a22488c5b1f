/** Figures as people read them, in the language of the panel. */
import { language, texts } from "./texts.ts";

const STEP = 1024;
const units = ["B", "kB", "MB", "GB", "TB"];

export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(language.value, { maximumFractionDigits: digits }).format(value);
}

/** Bytes with a unit, 1024-based as quotas are. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= STEP && unit < units.length - 1) {
    value /= STEP;
    unit++;
  }
  return measured(number(value, value < 10 && unit > 0 ? 1 : 0), units[unit] ?? "");
}

/** A quota, where 0 is none. */
export function quota(bytes: number): string {
  return bytes === 0 ? texts.value.common.unlimited : size(bytes);
}

export function percent(share: number): string {
  return new Intl.NumberFormat(language.value, { style: "percent", maximumFractionDigits: 0 }).format(share);
}

/** @param sec seconds since 1970 */
export function day(sec: number): string {
  return new Intl.DateTimeFormat(language.value, { dateStyle: "medium", timeZone: "UTC" }).format(sec * 1000);
}

/** @param ms milliseconds since 1970 */
export function moment(ms: number): string {
  return new Intl.DateTimeFormat(language.value, { dateStyle: "medium", timeStyle: "short" }).format(ms);
}

/** How long ago, or how long from now, in the largest unit that fits. */
export function ago(ms: number, nowMs = Date.now()): string {
  const seconds = Math.round((ms - nowMs) / 1000);
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ];
  const format = new Intl.RelativeTimeFormat(language.value, { numeric: "auto" });
  for (const [unit, length] of steps) {
    if (Math.abs(seconds) >= length) return format.format(Math.trunc(seconds / length), unit);
  }
  return format.format(seconds, "second");
}

const factors: Record<string, number> = { "": 1, B: 1, K: STEP, M: STEP ** 2, G: STEP ** 3, T: STEP ** 4 };

/** What people type for a size, such as `500M` or `1.5 GB`. @returns undefined for what is none */
export function bytesOf(text: string): number | undefined {
  const [, digits, unit = ""] = /^(\d+(?:[.,]\d+)?)\s*([BKMGT]?)B?$/i.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  return Math.round(Number(digits.replace(",", ".")) * (factors[unit.toUpperCase()] ?? 1));
}

/** A size as it can be typed again: `500M`. */
export function sizeTyped(bytes: number): string {
  const unit = ["T", "G", "M", "K"].find((each) => bytes > 0 && bytes % (factors[each] ?? 1) === 0);
  return unit === undefined ? String(bytes) : `${bytes / (factors[unit] ?? 1)}${unit}`;
}

/** A span of time in its largest unit that fits: `3 days`. */
export function span(ms: number): string {
  const steps: [string, number][] = [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
    ["second", 1000],
    ["millisecond", 1],
  ];
  const [unit, length] = steps.find(([, each]) => Math.abs(ms) >= each) ?? ["millisecond", 1];
  const format = new Intl.NumberFormat(language.value, {
    style: "unit",
    unit,
    unitDisplay: "long",
    maximumFractionDigits: 0,
  });
  return format.format(ms / length);
}

/** Milliseconds as they are measured. */
export function milliseconds(ms: number): string {
  return measured(number(ms, ms < 10 ? 1 : 0), "ms");
}

/** Figure and unit stay in this order where lines run from the right (Unicode Bidirectional Algorithm, isolates). */
function measured(figure: string, unit: string): string {
  const text = `${figure}\u00a0${unit}`;
  return language.value === "fa" ? `\u2066${text}\u2069` : text;
}

/** How much of a page's heading figures: `1.2K`. */
export function compact(value: number): string {
  return new Intl.NumberFormat(language.value, { notation: "compact", maximumFractionDigits: 1 }).format(
    value,
  );
}
