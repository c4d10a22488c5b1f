/**
 * What a chatmail relay takes out of the top-level header. Header bytes in, header bytes out; fields that are not
 * touched keep their exact bytes and order. A line that is no field, or a field with a bare CR, a bare LF or a NUL,
 * is dropped: another reader could see a field in it that was to go.
 */
import { concat, CRLF, fromLatin1 } from "../core/bytes.ts";
import { type Field, isTidy, parseFields } from "./header.ts";

/** Traces of the sender's network and program. */
const TRACES = new Set(["received", "x-originating-ip", "x-mailer", "user-agent"]);
/** Traces of the way here, without use after verification. */
const TRANSIT = new Set(["dkim-signature", "authentication-results", "received"]);
const HIDDEN_SUBJECT: Uint8Array = fromLatin1("Subject: [...]\r\n");

/**
 * For mail that our users submit: removes Received, X-Originating-IP, X-Mailer and User-Agent, hides the subject.
 * @param header the header block with its blank line; it is returned itself when nothing changes
 */
export function cleanSubmitted(header: Uint8Array): Uint8Array {
  let subjects = 0;
  return rewrite(header, (field) => {
    if (field.name !== "subject") return TRACES.has(field.name) ? "drop" : "keep";
    return ++subjects === 1 ? HIDDEN_SUBJECT : "drop";
  });
}

/**
 * For mail that is put into a mailbox here, after it is verified: removes DKIM-Signature, Authentication-Results and
 * Received.
 * @param header the header block with its blank line; it is returned itself when nothing changes
 */
export function cleanDelivered(header: Uint8Array): Uint8Array {
  return rewrite(header, (field) => (TRANSIT.has(field.name) ? "drop" : "keep"));
}

function rewrite(header: Uint8Array, judge: (field: Field) => Uint8Array | "keep" | "drop"): Uint8Array {
  const fields = parseFields(header);
  const pieces: Uint8Array[] = [];
  // One whole-block check spares the check of each field: nearly all mail is tidy.
  const blockIsTidy = isTidy(header);
  let changed = false;
  let runStart = 0;
  for (const field of fields) {
    const isSound = field.name !== "" && (blockIsTidy || isTidy(header.subarray(field.start, field.end)));
    const verdict = isSound ? judge(field) : "drop";
    if (verdict === "keep") continue;
    changed = true;
    pieces.push(header.subarray(runStart, field.start));
    if (verdict !== "drop") pieces.push(verdict);
    runStart = field.end;
  }
  if (!changed) return header;
  const fieldsEnd = fields.at(-1)?.end ?? 0;
  pieces.push(header.subarray(runStart, fieldsEnd));
  // The blank line is written anew, so that dropped bytes cannot stand in for it.
  if (fieldsEnd < header.length) pieces.push(CRLF);
  return concat(pieces);
}
