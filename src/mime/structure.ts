/**
 * The MIME tree of a stored message (RFC 2045, RFC 2046), for IMAP BODYSTRUCTURE, BODY[1.2] and ENVELOPE.
 *
 * Invariants
 * - One pass over the bytes in order, in slices of any size; memory is bounded by src/mime/limits.ts.
 * - All ranges are offsets into the whole message, end exclusive. The line end before a delimiter belongs to the
 *   delimiter (RFC 2046 §5.1.1), not to the part.
 * - Nothing is refused: what can't be read as MIME is shown as text/plain or as one opaque part.
 */
import { BODY_SLICE_MAX_BYTES } from "../core/limits.ts";
import type { MessageEnvelope } from "./envelope.ts";
import { StructureReader } from "./structure-reader.ts";
import type { StructuredValue } from "./structured.ts";

/** Byte offsets into the message, `end` exclusive. */
export interface ByteRange {
  start: number;
  end: number;
}

/** A message: the stored one, or one inside a message/rfc822 part. */
export interface MimeMessage {
  /** With the blank line. */
  header: ByteRange;
  body: ByteRange;
  envelope: MessageEnvelope;
  /** The message's own content; its `header` is the message's. */
  root: MimePart;
}

/** One body part. Texts are wire text: one string unit per byte, as they stand. */
export interface MimePart {
  /** The part's MIME header with its blank line: `BODY[n.MIME]`. */
  header: ByteRange;
  /** `BODY[n]`, still transfer-encoded. */
  body: ByteRange;
  /** Lower case, `text` by default (RFC 2045 §5.2). */
  type: string;
  /** Lower case, `plain` by default. */
  subtype: string;
  /** Lower-case names. RFC 2231 parameters keep their raw names. */
  params: ReadonlyMap<string, string>;
  id: string | undefined;
  description: string | undefined;
  /** Lower case; `7bit` by default (RFC 2045 §6.1). */
  encoding: string;
  md5: string | undefined;
  disposition: Pick<StructuredValue, "value" | "params"> | undefined;
  language: readonly string[];
  location: string | undefined;
  /** Line ends inside `body`. */
  lines: number;
  /** Of a multipart at least one part, otherwise empty. */
  parts: readonly MimePart[];
  /** Set for message/rfc822 and message/global; transfer-encoded ones are shown as opaque parts. */
  message: MimeMessage | undefined;
}

/** Reads the tree of a message that is in memory. */
export function parseStructure(message: Uint8Array): MimeMessage {
  const reader = new StructureReader();
  reader.write(message);
  return reader.end();
}

/** Reads the tree of a stored message slice by slice. Rejects with whatever `read` rejects with. */
export async function readStructure(
  size: number,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<MimeMessage> {
  const reader = new StructureReader();
  for (let at = 0; at < size; ) {
    const slice = await read(at, Math.min(BODY_SLICE_MAX_BYTES, size - at));
    // A file that got shorter than its index says: what is there is all there is.
    if (slice.length === 0) break;
    reader.write(slice);
    at += slice.length;
  }
  return reader.end();
}

/**
 * The part of an IMAP section number (RFC 9051 §6.4.5.1): `[1, 2]` is BODY[1.2]. Numbers step through
 * message/rfc822 parts; `1` of a message that is no multipart is the message's own body.
 */
export function findPart(message: MimeMessage, path: readonly number[]): MimePart | undefined {
  let part = message.root;
  for (const [i, number] of path.entries()) {
    const inside: MimePart = i > 0 && part.message !== undefined ? part.message.root : part;
    const next = inside.type === "multipart" ? inside.parts[number - 1] : undefined;
    if (next !== undefined) {
      part = next;
    } else if (number === 1 && inside.type !== "multipart" && (i === 0 || inside !== part)) {
      part = inside;
    } else {
      return undefined;
    }
  }
  return part;
}
