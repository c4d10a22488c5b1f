/**
 * Reads the arguments of MAIL and RCPT: RFC 5321 §4.1.1.2, §4.1.1.3 with the parameters of RFC 1870 (SIZE),
 * RFC 6152 (BODY), RFC 6531 (SMTPUTF8), RFC 4954 §5 (AUTH) and, read and passed over, RFC 3461 (DSN).
 */
import { type Address, parseAddress } from "../../core/address.ts";
import type { Reply } from "./replies.ts";

/** RFC 1870 §3: at most 20 digits. */
const SIZE = /^\d{1,20}$/;
const NOT_ASCII = /[^\u0000-\u007f]/;
/** What a decoder puts in place of malformed UTF-8. */
const MALFORMED = "\uFFFD";
const NO_PARAMETERS: ReadonlyMap<string, string | undefined> = new Map();

export interface MailCommand {
  /** null for `<>`. */
  sender: Address | null;
  /** From SIZE=; 0 when not told. */
  declaredBytes: number;
  utf8: boolean;
}

export type Parsed<T> = { ok: true; value: T } | { ok: false; reply: Reply };

/** @param text what follows `MAIL` and blanks */
export function parseMail(text: string): Parsed<MailCommand> {
  const path = splitPath(text, "FROM:");
  if (path === undefined) return { ok: false, reply: "badArguments" };
  const parameters = readParameters(path.parameters);
  if (parameters === undefined) return { ok: false, reply: "badArguments" };
  const command: MailCommand = { sender: null, declaredBytes: 0, utf8: false };
  for (const [key, value] of parameters) {
    const fault = applyMailParameter(command, key, value);
    if (fault !== undefined) return { ok: false, reply: fault };
  }
  if (path.address === "") return { ok: true, value: command };
  if (!command.utf8 && NOT_ASCII.test(path.address)) return { ok: false, reply: "senderNeedsUtf8" };
  const sender = path.address.includes(MALFORMED) ? undefined : parseAddress(path.address);
  if (sender === undefined) return { ok: false, reply: "badSender" };
  return { ok: true, value: { ...command, sender } };
}

/**
 * @param text what follows `RCPT` and blanks
 * @param utf8 true when MAIL said SMTPUTF8
 * @param hostname the domain of `<postmaster>` (RFC 5321 §4.5.1)
 * @returns undefined as value when the address does not parse
 */
export function parseRecipient(text: string, utf8: boolean, hostname: string): Parsed<Address | undefined> {
  const path = splitPath(text, "TO:");
  if (path === undefined) return { ok: false, reply: "badArguments" };
  const parameters = readParameters(path.parameters);
  if (parameters === undefined) return { ok: false, reply: "badArguments" };
  for (const key of parameters.keys()) {
    if (key !== "NOTIFY" && key !== "ORCPT") return { ok: false, reply: "unknownParameter" };
  }
  if (!utf8 && NOT_ASCII.test(path.address)) return { ok: false, reply: "recipientNeedsUtf8" };
  if (path.address.includes(MALFORMED)) return { ok: true, value: undefined };
  const isPostmaster = path.address.length === 10 && path.address.toLowerCase() === "postmaster";
  return { ok: true, value: parseAddress(isPostmaster ? `postmaster@${hostname}` : path.address) };
}

function applyMailParameter(command: MailCommand, key: string, value: string | undefined): Reply | undefined {
  switch (key) {
    case "SIZE":
      if (value === undefined || !SIZE.test(value)) return "badArguments";
      command.declaredBytes = Number(value);
      return undefined;
    case "BODY":
      return /^(7BIT|8BITMIME)$/i.test(value ?? "") ? undefined : "unknownParameter";
    case "SMTPUTF8":
      if (value !== undefined) return "badArguments";
      command.utf8 = true;
      return undefined;
    case "AUTH":
    case "RET":
    case "ENVID":
      return undefined;
    default:
      return "unknownParameter";
  }
}

/**
 * Parts `FROM:<a@b> X=1` into address and parameters. Tolerates blanks after the colon and a missing pair of angle
 * brackets; passes over a source route (RFC 5321 §4.1.1.3, appendix C).
 */
function splitPath(text: string, keyword: string): { address: string; parameters: string } | undefined {
  if (text.slice(0, keyword.length).toUpperCase() !== keyword) return undefined;
  const rest = text.slice(keyword.length).trimStart();
  if (!rest.startsWith("<")) {
    const blank = rest.indexOf(" ");
    const address = blank < 0 ? rest : rest.slice(0, blank);
    return address === "" ? undefined : { address, parameters: rest.slice(address.length) };
  }
  const end = closingBracket(rest);
  if (end < 0 || (end + 1 < rest.length && rest[end + 1] !== " ")) return undefined;
  const inner = rest.slice(1, end);
  const address = inner.startsWith("@") ? inner.slice(inner.indexOf(":") + 1) : inner;
  return { address, parameters: rest.slice(end + 1) };
}

/** The `>` that ends the path; those inside a quoted local part do not count. */
function closingBracket(text: string): number {
  let quoted = false;
  for (let i = 1; i < text.length; i++) {
    const char = text[i];
    if (quoted && char === "\\") i++;
    else if (char === '"') quoted = !quoted;
    else if (char === ">" && !quoted) return i;
  }
  return -1;
}

/** @returns undefined when a parameter comes twice or is not `KEY` or `KEY=value` */
function readParameters(text: string): ReadonlyMap<string, string | undefined> | undefined {
  if (text === "") return NO_PARAMETERS;
  const parameters = new Map<string, string | undefined>();
  for (const word of text.split(" ")) {
    if (word === "") continue;
    const match = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^=\s]+))?$/.exec(word);
    const key = match?.[1]?.toUpperCase();
    if (match === null || key === undefined || parameters.has(key)) return undefined;
    parameters.set(key, match[2]);
  }
  return parameters;
}
