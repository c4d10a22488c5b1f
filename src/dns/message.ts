/**
 * DNS messages: a question as bytes, an answer as facts (RFC 1035 §4, over dns-packet). Pure: no socket, no clock.
 * Invariant: whatever bytes come, `readAnswer` returns; only an answer to the very question that was asked is believed.
 */
import * as packet from "dns-packet";
import { lowerAscii, toUtf8 } from "../core/bytes.ts";
import type { DnsTrouble, MxRecord } from "./resolver.ts";

const HEADER_BYTES = 12;
const RECURSION_DESIRED = 1 << 8;
/** What fits into one IPv6 packet unfragmented: what resolvers agreed on in 2020. */
const UDP_PAYLOAD_MAX_BYTES = 1232;
/** CNAMEs followed inside one answer. */
const ALIASES_MAX = 8;
/** RFC 1035 §2.3.4. */
const NAME_MAX_CHARS = 253;
const LABEL_MAX_BYTES = 63;

/** What a lookup of each type yields. */
export interface RecordTypes {
  MX: MxRecord;
  A: string;
  AAAA: string;
  TXT: string;
  /** Host name, lower case, no trailing dot. */
  NS: string;
}
export type RecordType = keyof RecordTypes;

export interface Question {
  id: number;
  /** As `normaliseName` gives it. */
  name: string;
  type: RecordType;
}

export type Reading<T> =
  | { kind: "records"; records: T[]; ttlS: number }
  /** The name is another's alias, and the answer says no more. */
  | { kind: "alias"; target: string; ttlS: number }
  | { kind: "noData" | "noName"; ttlS: number | undefined }
  /** Ask again over TCP. */
  | { kind: "truncated" }
  /** Ask again without EDNS (RFC 6891 §7). */
  | { kind: "noExtensions" }
  /** An answer to something else: a late one, or a forged one. */
  | { kind: "notOurs" }
  | { kind: "trouble"; why: DnsTrouble };

/** Lower case, no trailing dot. @returns undefined for what can't be a name in the DNS */
export function normaliseName(text: string): string | undefined {
  const name = lowerAscii(text).replace(/\.$/, "");
  if (name === "" || name.length > NAME_MAX_CHARS) return undefined;
  const fits = name.split(".").every((label) => label !== "" && Buffer.byteLength(label) <= LABEL_MAX_BYTES);
  return fits ? name : undefined;
}

/** The question as one message; for TCP the caller puts its length in front. */
export function writeQuestion({ id, name, type }: Question, withExtensions: boolean): Uint8Array {
  return packet.encode({
    type: "query",
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name, type }],
    ...(withExtensions
      ? { additionals: [{ type: "OPT", name: ".", udpPayloadSize: UDP_PAYLOAD_MAX_BYTES }] }
      : {}),
  });
}

/** Reads what came back. */
export function readAnswer<T extends RecordType>(
  bytes: Uint8Array,
  question: Question & { type: T },
): Reading<RecordTypes[T]> {
  if (!isAnswerTo(bytes, question.id)) return { kind: "notOurs" };
  let decoded: packet.DecodedPacket;
  try {
    decoded = packet.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  } catch {
    return isTruncated(bytes) ? { kind: "truncated" } : { kind: "trouble", why: "malformed" };
  }
  const [asked, ...more] = decoded.questions;
  if (decoded.rcode === "FORMERR" || decoded.rcode === "NOTIMP") return { kind: "noExtensions" };
  const isSame =
    asked !== undefined && lowerAscii(asked.name) === question.name && asked.type === question.type;
  if (!isSame || more.length > 0) return { kind: "notOurs" };
  if (decoded.flag_tc) return { kind: "truncated" };
  if (decoded.rcode === "REFUSED") return { kind: "trouble", why: "refused" };
  if (decoded.rcode !== "NOERROR" && decoded.rcode !== "NXDOMAIN") {
    return { kind: "trouble", why: "serverFailure" };
  }
  return readRecords(decoded, question);
}

/** The id, and the bit that makes it an answer. */
function isAnswerTo(bytes: Uint8Array, id: number): boolean {
  if (bytes.length < HEADER_BYTES) return false;
  return (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)) === id && ((bytes[2] ?? 0) & 0x80) !== 0;
}

/** A cut message often can't be decoded, but its header still says so. */
function isTruncated(bytes: Uint8Array): boolean {
  return ((bytes[2] ?? 0) & 0x02) !== 0;
}

function readRecords<T extends RecordType>(
  { answers, authorities, rcode }: packet.DecodedPacket,
  question: Question & { type: T },
): Reading<RecordTypes[T]> {
  let name = question.name;
  let ttlS = Number.POSITIVE_INFINITY;
  let aliases = 0;
  for (;;) {
    const here = answers.filter((answer) => lowerAscii(answer.name) === name);
    const records = here.filter((answer) => answer.type === question.type);
    if (records.length > 0) {
      const values = records.flatMap((record) => readers[question.type](record.data) ?? []);
      if (values.length === 0) return { kind: "trouble", why: "malformed" };
      return { kind: "records", records: values, ttlS: Math.min(ttlS, ...records.map((r) => r.ttl ?? 0)) };
    }
    const alias = here.find((answer) => answer.type === "CNAME");
    if (alias === undefined) break;
    const target = typeof alias.data === "string" ? normaliseName(alias.data) : undefined;
    if (target === undefined) return { kind: "trouble", why: "malformed" };
    ttlS = Math.min(ttlS, alias.ttl ?? 0);
    name = target;
    aliases++;
    if (aliases > ALIASES_MAX) return { kind: "trouble", why: "malformed" };
  }
  // RFC 2308 §2.1: after aliases, NXDOMAIN is about the last name.
  if (rcode === "NXDOMAIN") return { kind: "noName", ttlS: negativeTtl(authorities) };
  const ttl = negativeTtl(authorities);
  // A SOA says that the last name was looked up and has nothing; without it a lazy server left the chain open.
  if (aliases > 0 && ttl === undefined) return { kind: "alias", target: name, ttlS };
  return { kind: "noData", ttlS: ttl };
}

/** RFC 2308 §5: the lower of the SOA's TTL and its MINIMUM field. */
function negativeTtl(authorities: packet.DecodedPacket["authorities"]): number | undefined {
  const soa = authorities.find((record) => record.type === "SOA");
  if (soa === undefined) return undefined;
  const { data } = soa;
  const minimum = typeof data === "object" && data !== null && "minimum" in data ? data.minimum : undefined;
  return Math.min(soa.ttl ?? 0, typeof minimum === "number" ? minimum : 0);
}

/** The value of one record, from what dns-packet made of it; undefined for one that is no such record. */
const readers: { [T in RecordType]: (data: unknown) => RecordTypes[T] | undefined } = {
  A: readText,
  AAAA: readText,
  MX: (data) => {
    if (typeof data !== "object" || data === null) return undefined;
    const { preference, exchange } = data as { preference?: unknown; exchange?: unknown };
    if (typeof exchange !== "string") return undefined;
    // dns-packet leaves a preference of 0 out of some versions' answers.
    return {
      preference: typeof preference === "number" ? preference : 0,
      exchange: lowerAscii(exchange).replace(/\.$/, ""),
    };
  },
  TXT: (data) => {
    const strings = Array.isArray(data) ? data : [data];
    if (!strings.every((part): part is Uint8Array => part instanceof Uint8Array)) return undefined;
    return toUtf8(Buffer.concat(strings));
  },
  NS: (data) => (typeof data === "string" ? normaliseName(data) : undefined),
};

function readText(data: unknown): string | undefined {
  return typeof data === "string" ? data : undefined;
}
