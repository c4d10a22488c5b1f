/** What a signature covers of a header (RFC 6376 §3.7, §5.4.2), for signing and for verifying alike. */
import { fromLatin1, toLatin1 } from "../core/bytes.ts";
import type { Field } from "../mime/header.ts";
import { type Canonicalization, canonicalField } from "./canonical.ts";

/** The header of a message with its fields found. */
export interface HeaderBlock {
  readonly bytes: Uint8Array;
  readonly fields: readonly Field[];
}

/** What a signature says about the header. */
export interface HeaderCoverage {
  /** Lower case, in order. A name that comes twice means two fields; one that is not there signs its absence. */
  readonly fields: readonly string[];
  readonly headerForm: Canonicalization;
}

/**
 * The bytes that are signed: the named fields, each name's last one first, then the signature field itself.
 * @param signatureField the whole DKIM-Signature field as it stands, without the value of `b=` and its line end
 */
export function signedHeader(
  { bytes, fields }: HeaderBlock,
  { fields: names, headerForm }: HeaderCoverage,
  signatureField: string,
): Uint8Array {
  const wanted = new Map<string, Field[]>(names.map((name) => [name, []]));
  for (const field of fields) wanted.get(field.name)?.push(field);
  const pieces: string[] = [];
  for (const name of names) {
    const field = wanted.get(name)?.pop();
    if (field === undefined) continue;
    const raw = toLatin1(bytes.subarray(field.start, field.valueEnd));
    pieces.push(canonicalField(raw, headerForm), "\r\n");
  }
  pieces.push(canonicalField(signatureField, headerForm));
  return fromLatin1(pieces.join(""));
}
