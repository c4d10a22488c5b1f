/** Kinds of values in `madmail.toml`. */
import { z } from "zod";
import { parseDomain } from "../core/address.ts";

const SIZE = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i;
const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/i;
const SIZE_FACTOR: Record<string, number> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const DURATION_FACTOR: Record<string, number> = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 };

/** A number of bytes, or text such as "30M" (1024-based). */
export const size = z
  .union([z.number().int().nonnegative(), z.string().regex(SIZE, "a size such as 512k, 30M or 1G")])
  .transform((v) => (typeof v === "number" ? v : (sizeBytes(v) ?? 0)));

/** @returns undefined for text that is no size */
export function sizeBytes(text: string): number | undefined {
  const [, number, unit = ""] = SIZE.exec(text) ?? [];
  return number === undefined
    ? undefined
    : Math.round(Number(number) * (SIZE_FACTOR[unit.toLowerCase()] ?? 1));
}

/** In the largest unit that gives a whole number: 31457280 is "30M". */
export function sizeText(bytes: number): string {
  for (const unit of ["G", "M", "K"]) {
    const factor = SIZE_FACTOR[unit.toLowerCase()] ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}

/** Text such as "30s", "5m", "20d"; milliseconds in code. */
export const duration = z
  .string()
  .regex(DURATION, "a duration such as 30s, 5m, 12h or 20d")
  .transform((v) => durationMs(v) ?? 0);

/** Milliseconds. @returns undefined for text that is no duration */
export function durationMs(text: string): number | undefined {
  const [, number, unit = "s"] = DURATION.exec(text) ?? [];
  return number === undefined
    ? undefined
    : Math.round(Number(number) * (DURATION_FACTOR[unit.toLowerCase()] ?? 1));
}

/** In the largest unit that gives a whole number: 86400000 is "1d". */
export function durationText(ms: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const factor = DURATION_FACTOR[unit] ?? 1;
    if (ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return `${ms}ms`;
}

export const domain = z
  .string()
  .refine(
    (v) => parseDomain(v) !== undefined,
    "a domain name, or an IP address in brackets such as [192.0.2.1]",
  )
  .transform((v) => parseDomain(v) ?? v);

const endpoint = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5}$/, "ADDRESS:PORT, an IPv6 address in brackets")
  .refine((v) => Number(v.slice(v.lastIndexOf(":") + 1)) <= 65535, "a port of at most 65535");
export const endpoints = (fallback: string[], doc: string) =>
  z.array(endpoint).default(fallback).meta({ description: doc });

export const port = (fallback: number, doc: string) =>
  z.number().int().min(1).max(65_535).default(fallback).meta({ description: doc });
export const count = (fallback: number, doc: string) =>
  z.number().int().min(1).max(100_000).default(fallback).meta({ description: doc });
