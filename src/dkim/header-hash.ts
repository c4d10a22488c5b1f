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
  header: HeaderBlock,
  coverage: HeaderCoverage,
  signatureField: string,
): Uint8Array {
  return fromLatin1(coveredFields(header, coverage) + canonicalField(signatureField, coverage.headerForm));
}

/** The part of it that does not depend on the signature: the same for all with this coverage. One unit per byte. */
export function coveredFields(
  { bytes, fields }: HeaderBlock,
  { fields: names, headerForm }: HeaderCoverage,
): string {
  // One string for the block: slices of it cost far less than decoding each field.
  const text = toLatin1(bytes);
  const byName = new Map<string, Field[]>();
  for (const field of fields) {
    const same = byName.get(field.name);
    if (same === undefined) byName.set(field.name, [field]);
    else same.push(field);
  }
  let covered = "";
  for (const name of names) {
    const field = byName.get(name)?.pop();
    if (field === undefined) continue;
    covered += `${canonicalField(text.slice(field.start, field.valueEnd), headerForm)}\r\n`;
  }
  return covered;
}
