/** Kinds of values that settings have: how their text is read, kept and shown. */
import { isIP } from "node:net";
import { parseDomain } from "../core/address.ts";
import { durationMs, durationText, sizeBytes, sizeText } from "./schema-fields.ts";
import { ORIGIN, URL_PATH } from "./schema-web.ts";

const PORT_MAX = 65_535;
const TEXT_MAX_CHARS = 253;
const ORIGINS_MAX_CHARS = 4096;
/** Nothing that could be more than one value wherever it is written (configuration, headers, links). */
const PLAIN_TEXT = /^[A-Za-z0-9.:/@_-]+$/;
const SECRET = /^[\x21-\x7e]+$/;
const TRUE = /^(true|t|yes|y|1|on|enabled?|open)$/i;
const FALSE = /^(false|f|no|n|0|off|disabled?|closed)$/i;

export interface SettingKind<T> {
  readonly name: "toggle" | "choice" | "number" | "port" | "size" | "duration" | "text" | "secret" | "list";
  /** Where there are only so many, as shown. */
  readonly allowed?: readonly string[];
  /** For faults: "a port from 1 to 65535". */
  readonly expects: string;
  /** @returns undefined for text that makes no sense */
  read: (text: string) => T | undefined;
  /** As kept in the database, which other programs read too. */
  keep: (value: T) => string;
  /** As operators see it. */
  show: (value: T) => string;
}

/** What was written by hand or by another program: any of the words for yes and no. */
export function readFlag(text: string): boolean | undefined {
  const word = text.trim();
  if (TRUE.test(word)) return true;
  return FALSE.test(word) ? false : undefined;
}

export function toggleKind(on = "enabled", off = "disabled"): SettingKind<boolean> {
  return {
    name: "toggle",
    allowed: [on, off],
    expects: `${on} or ${off}`,
    read: readFlag,
    keep: String,
    show: (value) => (value ? on : off),
  };
}

export function choiceKind<const T extends string>(allowed: readonly T[]): SettingKind<T> {
  const found = (text: string) => allowed.find((each) => each.toLowerCase() === text.trim().toLowerCase());
  return {
    name: "choice",
    allowed,
    expects: `one of ${allowed.join(", ")}`,
    read: found,
    keep: (value) => value,
    show: (value) => value,
  };
}

function wholeNumber(
  name: "number" | "port",
  min: number,
  max: number,
  expects: string,
): SettingKind<number> {
  return {
    name,
    expects,
    read(text) {
      const value = /^\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
    keep: String,
    show: String,
  };
}

export const portKind = wholeNumber("port", 1, PORT_MAX, `a port from 1 to ${PORT_MAX}`);

/** Shown in whole seconds, as the database of other madmail versions has it; kept in milliseconds here. */
export const secondsKind: SettingKind<number> = {
  name: "duration",
  expects: "a whole number of seconds of at least 1, or a duration such as 5d",
  read(text) {
    const ms = /^\d{1,9}$/.test(text.trim()) ? Number(text) * 1000 : durationMs(text);
    return ms !== undefined && ms >= 1000 ? Math.floor(ms / 1000) * 1000 : undefined;
  },
  keep: (ms) => String(ms / 1000),
  show: (ms) => String(ms / 1000),
};

export const durationKind: SettingKind<number> = {
  name: "duration",
  expects: "a duration such as 30d, 720h or 24h",
  read(text) {
    const ms = durationMs(text.trim());
    return ms !== undefined && ms > 0 ? ms : undefined;
  },
  keep: durationText,
  show: durationText,
};

export const sizeKind: SettingKind<number> = {
  name: "size",
  expects: "a size such as 32M or 1G",
  read(text) {
    const bytes = sizeBytes(text.trim());
    return bytes !== undefined && bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
  },
  keep: sizeText,
  show: sizeText,
};

function textKind(
  expects: string,
  isRight: (text: string) => boolean,
  tidy: (text: string) => string = (text) => text,
): SettingKind<string> {
  return {
    name: "text",
    expects,
    read(text) {
      const tidied = tidy(text.trim());
      const isPlain = tidied.length <= TEXT_MAX_CHARS && PLAIN_TEXT.test(tidied);
      return isPlain && isRight(tidied) ? tidied : undefined;
    },
    keep: (value) => value,
    show: (value) => value,
  };
}

export const plainTextKind = textKind(
  `at most ${TEXT_MAX_CHARS} letters, digits and . : / @ _ -`,
  () => true,
);

export const urlKind = (pattern: RegExp) =>
  textKind("http://HOST:PORT or https://HOST:PORT", (text) => pattern.test(text));

export const emailKind = textKind("a mail address", (text) => /^[^@]+@[^@]+\.[^@]+$/.test(text));

export const addressKind = textKind("an IP address", (text) => isIP(text) > 0);

/** A path without its slash is meant to have one. */
export const pathKind = textKind(
  "a path such as /admin",
  (text) => URL_PATH.test(text),
  (text) => `/${text.replace(/^\/+|\/+$/g, "")}`,
);

/** Brackets of an address literal are given by `parseDomain`. */
export const hostnameKind: SettingKind<string> = {
  name: "text",
  expects: "a domain name or an IP address",
  read: (text) => (text.length <= TEXT_MAX_CHARS ? parseDomain(text) : undefined),
  keep: (value) => value,
  show: (value) => value,
};

export function secretKind(min: number, max: number): SettingKind<string> {
  return {
    name: "secret",
    expects: `${min} to ${max} characters without spaces`,
    read: (text) => (SECRET.test(text) && text.length >= min && text.length <= max ? text : undefined),
    keep: (value) => value,
    show: (value) => value,
  };
}

export const originsKind: SettingKind<string[]> = {
  name: "list",
  expects: `\`*\` or origins such as https://app.example, with commas between, at most ${ORIGINS_MAX_CHARS} characters`,
  read(text) {
    const origins = text
      .split(",")
      .map((each) => each.trim().replace(/\/$/, ""))
      .filter((each) => each !== "");
    const isRight = text.length <= ORIGINS_MAX_CHARS && origins.length > 0;
    return isRight && origins.every((each) => ORIGIN.test(each)) ? [...new Set(origins)] : undefined;
  },
  keep: (origins) => origins.join(","),
  show: (origins) => origins.join(","),
};
