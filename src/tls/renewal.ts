/** When to ask for a certificate, and when to warn. Pure: facts and time in, a moment out. */
import type { AcmeTrouble } from "./acme-transport.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** First pause after a failure; doubled with each. Let's Encrypt allows five failed proofs per name and hour. */
const RETRY_FIRST_MS = 10 * MINUTE_MS;
const RETRY_MAX_MS = 6 * HOUR_MS;
/** Where an authority says "too many" without a time. */
const LIMITED_MIN_MS = HOUR_MS;
/** No authority is believed for longer; an operator may be renewing by hand meanwhile. */
const RETRY_AFTER_MAX_MS = 7 * 24 * HOUR_MS;
/** Of every pause, up or down: relays must not come all at once. */
const RETRY_JITTER = 0.2;

/** Validity of a certificate, milliseconds since 1970. */
export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * When two thirds of the life are over, less up to a 24th of it: 30 days before the end of 90, two of 6.
 * @param chance from 0 to 1, drawn once per certificate
 */
export function renewAtMs({ notBeforeMs, notAfterMs }: Validity, chance: number): number {
  const lifeMs = notAfterMs - notBeforeMs;
  return Math.floor(notAfterMs - lifeMs / 3 - (lifeMs / 24) * chance);
}

/** From when on the operator hears of it: renewal has then failed for a third of its time or more. */
export function alarmAtMs({ notBeforeMs, notAfterMs }: Validity): number {
  return Math.floor(notAfterMs - (notAfterMs - notBeforeMs) / 5);
}

/**
 * The pause after a failure.
 * @param failures in a row, this one included; from 1
 * @param chance from 0 to 1
 */
export function retryDelayMs(
  failures: number,
  { why, retryAfterMs = 0 }: { why: AcmeTrouble; retryAfterMs?: number },
  chance: number,
): number {
  const doubled = Math.min(RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 16), RETRY_MAX_MS);
  const ownMs = doubled * (1 + RETRY_JITTER * (2 * chance - 1));
  const floorMs = why === "rateLimited" ? LIMITED_MIN_MS : 0;
  // Spread upwards only: earlier than asked is not an option.
  const askedMs = Math.min(Math.max(retryAfterMs, floorMs), RETRY_AFTER_MAX_MS) * (1 + RETRY_JITTER * chance);
  return Math.ceil(Math.max(ownMs, askedMs));
}
