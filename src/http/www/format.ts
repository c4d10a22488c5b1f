/** Numbers as people of a language write them. */
import { MIB } from "../../core/limits.ts";
import type { Texts } from "./texts.ts";

/** 1024-based, one digit after the point at most: "30 MB", "1.5 GB". */
export function formatBytes(texts: Texts, bytes: number): string {
  const mib = bytes / MIB;
  const [value, unit] = mib >= 1024 ? [mib / 1024, texts.units.giga] : [mib, texts.units.mega];
  return `${new Intl.NumberFormat(texts.language, { maximumFractionDigits: 1 }).format(value)} ${unit}`;
}

/** "20 days", with the plural that the language wants. */
export function formatDays(texts: Texts, days: number): string {
  const style = { style: "unit", unit: "day", unitDisplay: "long", maximumFractionDigits: 1 } as const;
  return new Intl.NumberFormat(texts.language, style).format(days);
}
