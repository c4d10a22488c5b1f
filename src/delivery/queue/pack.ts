/** Makes of a message's remote recipients what goes into the outbox: one letter for each domain. */
import { type Address, type Domain, domainOf } from "../../core/address.ts";
import type { Parcel } from "../../storage/store.ts";
import { encodeLetter, type Letter } from "./letter.ts";

/**
 * Recipients of one transfer. RFC 5321 §4.5.3.1.8 promises a hundred; more header fields than that would not pass the
 * usual limits of web servers in front of /mxdeliv.
 */
const RECIPIENTS_MAX = 100;
/** Digits of milliseconds in base 36: until the year 5188 ids sort by age. */
const TIME_DIGITS = 9;

export interface Packed {
  parcel: Parcel;
  /** In the order of the parcel's notes. */
  letters: readonly { id: string; letter: Letter }[];
}

/** @param recipients at least one */
export function pack(sender: Address | null, recipients: readonly Address[], nowMs: number): Packed {
  const byDomain = Map.groupBy(recipients, domainOf);
  const id = `${nowMs.toString(36).padStart(TIME_DIGITS, "0")}-${crypto.randomUUID().slice(0, 18)}`;
  const letters: Letter[] = [];
  for (const [domain, all] of byDomain) {
    for (let at = 0; at < all.length; at += RECIPIENTS_MAX) {
      letters.push(freshLetter(sender, domain, all.slice(at, at + RECIPIENTS_MAX), nowMs));
    }
  }
  return {
    parcel: { id, notes: letters.map(encodeLetter) },
    letters: letters.map((letter, place) => ({ id: `${id}.${place}`, letter })),
  };
}

function freshLetter(
  sender: Address | null,
  domain: Domain,
  recipients: readonly Address[],
  queuedAtMs: number,
): Letter {
  return { sender, domain, recipients, failed: [], queuedAtMs, tries: 0, nextAttemptMs: 0, lastError: "" };
}
