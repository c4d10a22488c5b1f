/**
 * A message to the echo, read: who wrote it with which key, and what it says. Whatever can't be read, or is not proven to
 * be by its author, is nothing.
 */
import { simpleParser } from "mailparser";
import type { PrivateKey, PublicKey } from "openpgp";
import { type Address, parseAddress } from "../core/address.ts";
import { toUtf8 } from "../core/bytes.ts";
import { parseAddressList } from "../mime/addresses.ts";
import { headerEnd, parseFields, fieldText } from "../mime/header.ts";
import { autocryptKey } from "../openpgp/identity.ts";
import { openLetter } from "../openpgp/letter.ts";

/** Fields by lower case name; the first of each. */
export type Fields = ReadonlyMap<string, string>;

export interface Incoming {
  from: Address;
  /** The author's, as the message brought it. */
  key: PublicKey;
  /** False for the first step of SecureJoin, which comes in clear. */
  isEncrypted: boolean;
  fields: Fields;
  messageId: string;
  text: string;
  /** Names of files in it. */
  files: readonly string[];
}

/** The author as the envelope of a message names it: cheap, and before anything is decrypted. */
export function authorOf(fields: Fields): Address | undefined {
  const [only, ...others] = parseAddressList(fields.get("from") ?? "").texts;
  return only === undefined || others.length > 0 ? undefined : parseAddress(only);
}

export async function readIncoming(
  raw: Uint8Array,
  outer: Fields,
  key: PrivateKey,
): Promise<Incoming | undefined> {
  const from = authorOf(outer);
  if (from === undefined) return undefined;
  if (/^v[cg]-request$/i.test(outer.get("secure-join") ?? "")) {
    const shown = await autocryptKey(outer.get("autocrypt") ?? "", from);
    if (shown === undefined) return undefined;
    return {
      from,
      key: shown,
      isEncrypted: false,
      fields: outer,
      messageId: idOf(outer),
      text: "",
      files: [],
    };
  }
  const letter = await openLetter(raw, key);
  if (letter === undefined) return undefined;
  const fields = fieldsOf(letter.payload);
  const author = authorOf(fields) ?? from;
  const shown = await autocryptKey(fields.get("autocrypt") ?? "", from);
  // Who signed must be who sent, inside and outside.
  if (author !== from || shown === undefined || !(await letter.isSignedBy(shown))) return undefined;
  const { text = "", attachments } = await simpleParser(Buffer.from(letter.payload), {
    skipHtmlToText: true,
    skipImageLinks: true,
    skipTextToHtml: true,
  });
  const files = attachments.map(({ filename }) => filename ?? "");
  return { from, key: shown, isEncrypted: true, fields, messageId: idOf(fields), text: text.trim(), files };
}

/** Of the header block at the beginning. */
export function fieldsOf(message: Uint8Array): Fields {
  const end = headerEnd(message);
  const block = end < 0 ? message : message.subarray(0, end);
  const fields = new Map<string, string>();
  for (const field of parseFields(block)) {
    if (!fields.has(field.name))
      fields.set(field.name, toUtf8(Buffer.from(fieldText(block, field), "latin1")).trim());
  }
  return fields;
}

/** One line: it goes into a field of the answer. */
function idOf(fields: Fields): string {
  return /^<[^<>\s]{1,200}>$/.exec(fields.get("message-id") ?? "")?.[0] ?? "";
}
