/**
 * What a chatmail relay takes from other servers, stated anew from the facts in the reference (filter and origin check of
 * incoming mail, SMTP and `/mxdeliv`): a judge that shares no code with our own gate, for what we send.
 */
import { dkimVerify } from "mailauth/lib/dkim/verify";
import type { Arrival } from "./crowd.ts";

const MESSAGE_MAX_BYTES = 31_457_280;
const RECIPIENTS_MAX = 1000;
/** RFC 5322 §2.1.1, without the line end. */
const LINE_MAX_CHARS = 998;
const SEIPD = 18;
const ENCRYPTED_KEYS = new Set([1, 3]);

export interface Judgement {
  /** As the filter would call it; "refused" for what is none of them. */
  kind: "encrypted" | "secureJoin" | "bounce" | "refused";
  /** Rules that were broken; empty when it is taken and comes to the recipients as it should. */
  faults: readonly string[];
}

/** TXT records by name. */
export type Records = Readonly<Record<string, string>>;

export async function judge(arrival: Arrival, records: Records): Promise<Judgement> {
  const { text } = arrival;
  const head = text.slice(0, text.indexOf("\r\n\r\n"));
  const fields = readFields(head);
  const from = fields.get("from") ?? [];
  const author = /<([^<>@\s]+@[^<>@\s]+)>\s*$/.exec(from[0] ?? "")?.[1]?.toLowerCase() ?? "";
  const kind = kindOf(text, fields, author);
  const wanted = kind === "bounce" ? "" : author;
  const rules: readonly (readonly [rule: string, holds: boolean | Promise<boolean>])[] = [
    ["one From with one address", from.length === 1 && author !== ""],
    ["encrypted, SecureJoin or a bounce", kind !== "refused"],
    ["MAIL FROM is From, and null for bounces", arrival.sender.toLowerCase() === wanted],
    ["a valid signature by the domain of From", hasOrigin(text, author, records)],
    ["size", text.length <= MESSAGE_MAX_BYTES],
    ["every line ends with CRLF", !/\r(?!\n)|(?<!\r)\n/.test(text) && text.endsWith("\r\n")],
    ["lines are short", text.split("\r\n").every((line) => line.length <= LINE_MAX_CHARS)],
    ["number of recipients", arrival.recipients.length > 0 && arrival.recipients.length <= RECIPIENTS_MAX],
    ["recipients of one domain", new Set(arrival.recipients.map(domainOf)).size === 1],
    ["nothing tells about the client", !fields.has("received") && !fields.has("x-originating-ip")],
    ["a subject that tells nothing", kind === "bounce" || (fields.get("subject") ?? []).join() === "[...]"],
    ...(arrival.via === "https" ? requestRules(arrival) : sessionRules(arrival)),
  ];
  const held = await Promise.all(rules.map(async ([rule, holds]) => [rule, await holds] as const));
  return { kind, faults: held.filter(([, holds]) => !holds).map(([rule]) => rule) };
}

type Rules = (readonly [rule: string, holds: boolean])[];

/** The form of `/mxdeliv`. */
function requestRules({ lines, sender, recipients, text }: Arrival): Rules {
  const count = (name: string) => lines.filter((line) => line.toLowerCase().startsWith(`${name}:`)).length;
  return [
    ["POST /mxdeliv", lines[0] === "POST /mxdeliv HTTP/1.1"],
    ["Host", count("host") === 1],
    ["X-Mail-From once, absent for a null sender", count("x-mail-from") === (sender === "" ? 0 : 1)],
    ["X-Mail-To for each recipient", count("x-mail-to") === recipients.length],
    ["Content-Length", lines.includes(`Content-Length: ${text.length}`) && count("transfer-encoding") === 0],
  ];
}

/** What Postfix with the filter behind it demands on port 25; that TLS came first is the receiver's doing. */
function sessionRules({ lines, sender }: Arrival): Rules {
  const hello = lines.find((line) => line.startsWith("EHLO ")) ?? "";
  const isNamed = /^EHLO ([a-z0-9_-]+(\.[a-z0-9_-]+)+|\[[0-9a-f.:]+\])$/i.test(hello);
  return [
    ["EHLO with a name or an address literal", lines[0] === hello && isNamed],
    ["MAIL FROM with one @ or none", sender === "" || sender.split("@").length === 2],
    ["only the commands of one transaction", lines.slice(1).every((line) => /^(MAIL|RCPT|DATA)/.test(line))],
  ];
}

function kindOf(text: string, fields: Map<string, string[]>, author: string): Judgement["kind"] {
  const [type = ""] = fields.get("content-type") ?? [];
  const body = text.slice(text.indexOf("\r\n\r\n") + 4);
  if (/^multipart\/encrypted\b/i.test(type)) return isEncrypted(type, body) ? "encrypted" : "refused";
  if (isSecureJoin(fields, type, body)) return "secureJoin";
  const isReport =
    (fields.get("auto-submitted") ?? []).join() !== "" &&
    author.startsWith("mailer-daemon@") &&
    /^multipart\/report\b/i.test(type);
  return isReport ? "bounce" : "refused";
}

function isSecureJoin(fields: Map<string, string[]>, type: string, body: string): boolean {
  const step = (fields.get("secure-join") ?? []).join();
  if (step !== "vc-request" && step !== "vg-request") return false;
  const parts = /^multipart\//i.test(type) ? partsOf(type, body) : [];
  const [only, ...more] = parts;
  if (only === undefined || more.length > 0) return false;
  const [partType = ""] = readFields(only.head).get("content-type") ?? [];
  return /^text\/plain\b/i.test(partType) && only.body.trim().toLowerCase() === `secure-join: ${step}`;
}

function isEncrypted(type: string, body: string): boolean {
  const [version, payload, ...more] = partsOf(type, body);
  if (version === undefined || payload === undefined || more.length > 0) return false;
  const typeOf = (part: Part) => (readFields(part.head).get("content-type") ?? []).join();
  if (!/^application\/pgp-encrypted\b/i.test(typeOf(version)) || version.body.trim() !== "Version: 1")
    return false;
  if (!/^application\/octet-stream\b/i.test(typeOf(payload))) return false;
  const armor = /^-----BEGIN PGP MESSAGE-----\r\n([^]*)\r\n-----END PGP MESSAGE-----(?:\r\n)*$/.exec(
    payload.body,
  )?.[1];
  // A blank line, no armor header before it; the checksum is not looked at.
  if (armor === undefined || !armor.startsWith("\r\n")) return false;
  const base64 = armor
    .trim()
    .replace(/\r\n=[A-Za-z0-9+/]{4}$/, "")
    .replaceAll("\r\n", "");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0) return false;
  const tags = packetTags(Buffer.from(base64, "base64"));
  const last = tags?.pop();
  return (
    last === SEIPD && tags !== undefined && tags.length > 0 && tags.every((tag) => ENCRYPTED_KEYS.has(tag))
  );
}

/** RFC 9580 §4.2. @returns undefined when a packet does not end where the message does, or before */
function packetTags(bytes: Buffer): number[] | undefined {
  const tags: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const first = bytes[at++] ?? 0;
    if ((first & 0x80) === 0) return undefined;
    const isNew = (first & 0x40) !== 0;
    tags.push(isNew ? first & 0x3f : (first >> 2) & 15);
    for (let isPartial = true; isPartial; ) {
      const length = isNew ? newLength(bytes, at) : oldLength(bytes, at, first & 3);
      isPartial = length.isPartial;
      at = length.next + length.bytes;
    }
  }
  return at === bytes.length ? tags : undefined;
}

function newLength(bytes: Buffer, at: number): { next: number; bytes: number; isPartial: boolean } {
  const first = bytes[at] ?? 0;
  if (first < 192) return { next: at + 1, bytes: first, isPartial: false };
  if (first < 224) {
    return { next: at + 2, bytes: ((first - 192) << 8) + (bytes[at + 1] ?? 0) + 192, isPartial: false };
  }
  if (first === 255 && at + 5 <= bytes.length) {
    return { next: at + 5, bytes: bytes.readUInt32BE(at + 1), isPartial: false };
  }
  return { next: at + 1, bytes: 2 ** (first & 31), isPartial: first < 255 };
}

function oldLength(
  bytes: Buffer,
  at: number,
  type: number,
): { next: number; bytes: number; isPartial: boolean } {
  const octets = [1, 2, 4, 0][type] ?? 0;
  const isIn = octets > 0 && at + octets <= bytes.length;
  return {
    next: at + octets,
    bytes: isIn ? bytes.readUIntBE(at, octets) : bytes.length - at,
    isPartial: false,
  };
}

/** Strict alignment; an address literal has no keys and needs none. The verifier is mailauth's. */
async function hasOrigin(text: string, author: string, records: Records): Promise<boolean> {
  const domain = domainOf(author);
  if (domain.startsWith("[")) return true;
  const { results } = await dkimVerify(Buffer.from(text, "latin1"), {
    resolver: (name: string, kind: string) => {
      const record = kind === "TXT" ? records[name] : undefined;
      if (record === undefined)
        return Promise.reject(Object.assign(new Error("no name"), { code: "ENOTFOUND" }));
      return Promise.resolve([[record]]);
    },
  });
  return results.some(
    ({ signingDomain, status }) => status.result === "pass" && signingDomain?.toLowerCase() === domain,
  );
}

interface Part {
  head: string;
  body: string;
}

function partsOf(type: string, body: string): Part[] {
  const boundary = /boundary="?([^";]+)"?/i.exec(type)?.[1];
  if (boundary === undefined) return [];
  const [, ...pieces] = `\r\n${body}`.split(`\r\n--${boundary}`);
  const end = pieces.findIndex((piece) => piece.startsWith("--"));
  return pieces.slice(0, Math.max(0, end)).map((piece) => {
    const blank = piece.indexOf("\r\n\r\n");
    return { head: piece.slice(2, blank), body: piece.slice(blank + 4) };
  });
}

function readFields(head: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of head.replace(/\r\n[ \t]+/g, " ").split("\r\n")) {
    const name = line.slice(0, Math.max(0, line.indexOf(":"))).toLowerCase();
    found.set(name, [...(found.get(name) ?? []), line.slice(name.length + 1).trim()]);
  }
  return found;
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf("@") + 1).toLowerCase();
}
