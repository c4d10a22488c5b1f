/**
 * The gate (RFC 3156, RFC 9580): decides from a message's bytes, as they stream by, whether it is encrypted.
 *
 * Invariants
 * - The header block is kept, at most HEADER_MAX_BYTES; of the body at most a line or two.
 * - Doubt is cleartext: whatever two readers could see differently is not let through as encrypted.
 * - The answer does not depend on how the message was cut into chunks.
 */
import { fromLatin1, toUtf8 } from "../core/bytes.ts";
import { HEADER_MAX_BYTES } from "../core/limits.ts";
import { parseAddressList } from "../mime/addresses.ts";
import { type Field, fieldText, HeaderEnd, isTidy, parseFields } from "../mime/header.ts";
import { boundaryOf, type ContentType, parseContentType, parseStructured } from "../mime/structured.ts";
import { type BodyReader, encryptedBody, secureJoinBody } from "./bodies.ts";
import type { GateFlaw, MessageFacts, MessageKind, MessageScanner } from "./facts.ts";

const FIRST_HEADER_BYTES = 4096;

/** What the header alone decides, and who judges the body, if the body matters. */
interface HeaderVerdict {
  flaw: GateFlaw | undefined;
  isBounce: boolean;
  body: BodyReader | undefined;
  kind: "encrypted" | "secureJoinRequest";
}

/** A scanner for one message. */
export function createMessageScanner(): MessageScanner {
  return new Scanner();
}

class Scanner implements MessageScanner {
  readonly #end = new HeaderEnd();
  #buffer = new Uint8Array(0);
  #used = 0;
  #header: Uint8Array | undefined;
  #isTooBig = false;
  #fields: Field[] = [];
  #isTidy: boolean | undefined;
  #verdict: HeaderVerdict | undefined;

  get header(): Uint8Array | undefined {
    return this.#header;
  }

  write(chunk: Uint8Array): void {
    if (this.#header !== undefined) {
      this.#verdict?.body?.write(chunk);
      return;
    }
    if (this.#isTooBig) return;
    const found = this.#end.find(chunk);
    const taken = found < 0 ? chunk.length : found;
    if (this.#used + taken > HEADER_MAX_BYTES) {
      this.#isTooBig = true;
      this.#buffer = new Uint8Array(0);
      this.#used = 0;
      return;
    }
    this.#keep(chunk, taken, found >= 0);
    if (found < 0) return;
    this.#header = this.#buffer.subarray(0, this.#used);
    this.#fields = parseFields(this.#header);
    this.#isTidy = isTidy(this.#header);
    this.#verdict = this.#isTidy ? judgeHeader(this.#header, this.#fields) : flawed("badMime");
    if (found < chunk.length) this.#verdict.body?.write(chunk.subarray(found));
  }

  end(): MessageFacts {
    const block = this.#header ?? this.#buffer.subarray(0, this.#used);
    const fields = this.#header === undefined ? parseFields(block) : this.#fields;
    return {
      ...this.#kinds(),
      from: authorTexts(block, fields),
      fromFieldCount: fields.filter((field) => field.name === "from").length,
      receivedCount: fields.filter((field) => field.name === "received").length,
      headerComplete: this.#header !== undefined,
      headerMalformed: !(this.#isTidy ?? isTidy(block)),
    };
  }

  #kinds(): Pick<MessageFacts, "submitted" | "received"> {
    const verdict = this.#verdict;
    if (verdict === undefined) return both("truncated");
    const cleartext = verdict.flaw ?? "notMultipartEncrypted";
    if (verdict.isBounce)
      return { submitted: { kind: "cleartext", flaw: cleartext }, received: { kind: "bounce" } };
    if (verdict.body === undefined) return both(cleartext);
    const { flaw, receivedOnly } = verdict.body.end();
    if (flaw !== undefined) return both(flaw);
    const received: MessageKind = { kind: verdict.kind };
    return {
      submitted: receivedOnly === undefined ? received : { kind: "cleartext", flaw: receivedOnly },
      received,
    };
  }

  /** Copies into a buffer that doubles, so that many small chunks cost no more than one. */
  #keep(chunk: Uint8Array, length: number, isLast: boolean): void {
    const needed = this.#used + length;
    if (needed > this.#buffer.length) {
      const roomy = Math.max(needed, this.#buffer.length * 2, FIRST_HEADER_BYTES);
      const larger = new Uint8Array(isLast ? needed : roomy);
      larger.set(this.#buffer.subarray(0, this.#used));
      this.#buffer = larger;
    }
    this.#buffer.set(chunk.subarray(0, length), this.#used);
    this.#used = needed;
  }
}

function both(flaw: GateFlaw): Pick<MessageFacts, "submitted" | "received"> {
  return { submitted: { kind: "cleartext", flaw }, received: { kind: "cleartext", flaw } };
}

/** Address texts of all From fields, which may hold UTF-8 (RFC 6532 §3.2). */
export function authorTexts(header: Uint8Array, fields: readonly Field[]): string[] {
  const from = fields.filter((field) => field.name === "from");
  return from.flatMap((field) =>
    parseAddressList(fieldText(header, field)).texts.map((text) => toUtf8(fromLatin1(text))),
  );
}

function flawed(flaw: GateFlaw): HeaderVerdict {
  return { flaw, isBounce: false, body: undefined, kind: "encrypted" };
}

/** @param header a tidy one */
function judgeHeader(header: Uint8Array, fields: readonly Field[]): HeaderVerdict {
  const texts = (name: string): string[] =>
    fields.filter((field) => field.name === name).map((field) => fieldText(header, field));
  // A line that is no field ends the header for some readers: what follows would be a readable body.
  if (fields.some((field) => field.name === "")) return flawed("badMime");
  const [typeText, ...otherTypes] = texts("content-type");
  const encodings = texts("content-transfer-encoding");
  if (otherTypes.length > 0 || encodings.length > 1) return flawed("badMime");
  const type = parseContentType(typeText ?? "");
  if (type === undefined) return flawed("noContentType");
  // RFC 2045 §6.4: a multipart is never encoded as a whole.
  if (!/^(7bit|8bit|binary)?$/i.test(encodings[0] ?? "")) return flawed("badMime");
  const name = `${type.type}/${type.subtype}`;
  if (name === "multipart/report") {
    return { ...flawed("notMultipartEncrypted"), isBounce: isBounce(type, texts) };
  }
  const isRequest = name === "multipart/mixed" && isSecureJoinRequest(texts("secure-join"));
  if (name !== "multipart/encrypted" && !isRequest) return flawed("notMultipartEncrypted");
  if (!type.wellFormed || hasOddParams(type)) return flawed("badMime");
  const boundary = boundaryOf(type);
  if (boundary === undefined) return flawed("noBoundary");
  const kind = isRequest ? "secureJoinRequest" : "encrypted";
  const body = isRequest ? secureJoinBody(boundary) : encryptedBody(boundary);
  return { flaw: undefined, isBounce: false, body, kind };
}

/** RFC 2231 boundaries are read by some and ignored by others; another protocol is not OpenPGP (RFC 3156 §4). */
function hasOddParams(type: ContentType): boolean {
  const protocol = type.params.get("protocol");
  if (protocol !== undefined && protocol.toLowerCase() !== "application/pgp-encrypted") return true;
  return [...type.params.keys()].some((name) => name.startsWith("boundary*") || name.startsWith("protocol*"));
}

function isSecureJoinRequest(values: readonly string[]): boolean {
  return values.length === 1 && /^v[cg]-request$/i.test(values[0] ?? "");
}

/** A delivery report (RFC 6522 §3) that says it is automatic (RFC 3834 §5), from one mailer daemon. */
function isBounce(type: ContentType, texts: (name: string) => string[]): boolean {
  const automatic = texts("auto-submitted");
  const from = texts("from").flatMap((text) => parseAddressList(text).texts);
  const kind = type.params.get("report-type")?.toLowerCase();
  return (
    type.wellFormed &&
    boundaryOf(type) !== undefined &&
    (kind === undefined || kind === "delivery-status") &&
    automatic.length === 1 &&
    isAutomatic(automatic[0] ?? "") &&
    from.length === 1 &&
    /^mailer-daemon@[^@]+$/i.test(from[0] ?? "")
  );
}

function isAutomatic(text: string): boolean {
  const keyword = parseStructured(text)?.value;
  return keyword !== undefined && keyword !== "no";
}
