/** Which names and passwords an account may have, and those that this relay makes up itself. */
import { type Address, type Domain, domainOf, parseAddress } from "../core/address.ts";

/** Bounds from the configuration; characters. */
export interface NameRules {
  username_min_length: number;
  username_max_length: number;
  password_min_length: number;
}

export type NameFault = "tooShort" | "tooLong" | "badCharacter" | "badDots" | "reserved";
export type PasswordFault = "passwordTooShort" | "passwordTooLong" | "passwordCharacter";
export type RandomBytes = (bytes: number) => Uint8Array;

/** Longer ones are refused before anything is computed from them. */
export const PASSWORD_MAX_BYTES = 1024;
/** RFC 5321 §4.5.3.1.1. */
const LOCALPART_MAX_LENGTH = 64;
const LOCALPART = /^[a-z0-9._-]+$/;
/** No client can send these in a quoted string (RFC 9051 §4.3) or in SASL PLAIN (RFC 4616 §2). */
const UNSENDABLE = /[\0\r\n]/;

/** RFC 2142 and those that people take for the operator: never given to a user. */
const RESERVED: ReadonlySet<string> = new Set([
  "abuse",
  "admin",
  "hostmaster",
  "mailer-daemon",
  "postmaster",
  "root",
  "webmaster",
]);

const NAME_LENGTH = 9;
const NAME_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";
/** 142 bits. Letters and digits only, so that no link, QR code or config file has to escape anything. */
const GENERATED_PASSWORD_LENGTH = 24;
const PASSWORD_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

export const systemRandom: RandomBytes = (bytes) => crypto.getRandomValues(new Uint8Array(bytes));

/**
 * The account that someone wants to log in to. Only the exact local domains are taken: no subdomain, nothing
 * percent-encoded. `user@192.0.2.1` is read as `user@[192.0.2.1]`.
 */
export function loginAddress(username: string, domains: readonly Domain[]): Address | undefined {
  if (username.includes("%")) return undefined;
  const address = parseAddress(username);
  return address !== undefined && domains.includes(domainOf(address)) ? address : undefined;
}

/** Whether a new account may have this local part. Existing ones are not measured by it. */
export function nameFault(localpart: string, rules: NameRules): NameFault | undefined {
  if (localpart.length < rules.username_min_length) return "tooShort";
  if (localpart.length > Math.min(rules.username_max_length, LOCALPART_MAX_LENGTH)) return "tooLong";
  if (!LOCALPART.test(localpart)) return "badCharacter";
  // A leading dot would hide the account's directory; `.` and `..` would be another one.
  if (localpart.startsWith(".") || localpart.endsWith(".")) return "badDots";
  return isReservedName(localpart) ? "reserved" : undefined;
}

export function isReservedName(localpart: string): boolean {
  return RESERVED.has(localpart);
}

/** Whether a new account may have this password. Any other character is fine. */
export function passwordFault(password: string, rules: NameRules): PasswordFault | undefined {
  if (password.length < rules.password_min_length) return "passwordTooShort";
  if (!isPossiblePassword(password)) {
    return UNSENDABLE.test(password) ? "passwordCharacter" : "passwordTooLong";
  }
  return undefined;
}

/** False for what no account can have: refuse it before it costs a hash. */
export function isPossiblePassword(password: string): boolean {
  if (password === "" || password.length > PASSWORD_MAX_BYTES || UNSENDABLE.test(password)) return false;
  return Buffer.byteLength(password, "utf8") <= PASSWORD_MAX_BYTES;
}

/** A local part as clients make them themselves: nine of `[a-z0-9]`, or as near as the rules allow. */
export function generateName(random: RandomBytes, rules: NameRules): string {
  const length = Math.min(Math.max(NAME_LENGTH, rules.username_min_length), rules.username_max_length);
  return randomText(random, NAME_ALPHABET, length);
}

/** Always longer than the shortest that the rules allow. */
export function generatePassword(random: RandomBytes, rules: NameRules): string {
  return randomText(
    random,
    PASSWORD_ALPHABET,
    Math.max(GENERATED_PASSWORD_LENGTH, rules.password_min_length + 1),
  );
}

/** Every character is as likely as any other: bytes beyond the last whole multiple of the alphabet are thrown away. */
function randomText(random: RandomBytes, alphabet: string, length: number): string {
  const fair = 256 - (256 % alphabet.length);
  let text = "";
  while (text.length < length) {
    for (const byte of random(length)) {
      if (byte < fair && text.length < length) text += alphabet[byte % alphabet.length];
    }
  }
  return text;
}
