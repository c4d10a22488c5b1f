/**
 * Messages with spoilt bytes against all that reads messages: the gate, header fields, addresses, MIME structure,
 * and what IMAP prints of them. No throw; the same result however the message is cut; ranges inside the message.
 */
import { fromLatin1, toLatin1 } from "../../src/core/bytes.ts";
import { formatEnvelope, formatStructure } from "../../src/imap/engine/fetch/structure-text.ts";
import { parseAddressList } from "../../src/mime/addresses.ts";
import { cleanDelivered, cleanSubmitted } from "../../src/mime/clean.ts";
import { headerLength, isTidy, parseFields, selectFields, selectFieldsNot } from "../../src/mime/header.ts";
import { type MimePart, parseStructure } from "../../src/mime/structure.ts";
import { StructureReader } from "../../src/mime/structure-reader.ts";
import { parseContentType, parseStructured } from "../../src/mime/structured.ts";
import { fakeEncryptedMessage, secureJoinRequest } from "../../src/pgp/fixtures.test-help.ts";
import { createMessageScanner } from "../../src/pgp/scanner.ts";
import { mail } from "../oracle/corpus.ts";
import { cut, mutate, Random } from "./random.ts";

const MUTATIONS_MAX = 8;
const GATE_FIELDS: ReadonlySet<string> = new Set(["subject", "content-type"]);
const WORDS = [
  ..."--b\r\n|--b--\r\n|\r\n\r\n|\r\n |Content-Type: |multipart/mixed; boundary=b|multipart/encrypted|message/rfc822".split(
    "|",
  ),
  ..."multipart/digest; boundary=\"b\"|text/plain; charset=utf-8|; x*0*=utf-8''%41|Content-Transfer-Encoding: base64".split(
    "|",
  ),
  ...'-----BEGIN PGP MESSAGE-----\r\n|-----END PGP MESSAGE-----\r\n|Version: 1\r\n|=abcd\r\n|wcBM|From: <a@b>, (c) "d" <e@f>'.split(
    "|",
  ),
  ...'group: a@b, c@d;|@a,@b:c@d|(((|)))|"|\\|<|>|=?utf-8?q?=41?=|Secure-Join: vc-request\r\n|\0|\xff|\r|\n'.split(
    "|",
  ),
  "x".repeat(1000),
];

const seeds: readonly Uint8Array[] = [
  ...mail.map(({ text }) => fromLatin1(text)),
  fakeEncryptedMessage(2_000),
  fromLatin1(secureJoinRequest()),
];

export const mailFuzz: { name: string; run(seed: number): void } = {
  name: "mail",
  run(seed) {
    const random = new Random(seed);
    const message = mutate(random.pick(seeds), random, WORDS, MUTATIONS_MAX);
    checkGate(message, random);
    checkStructure(message, random);
    checkHeader(message.subarray(0, headerLength(message)));
    const text = toLatin1(message);
    const end = parseAddressList(text.slice(0, 2_000));
    if (end.addresses.length > text.length + 2) throw new Error("more addresses than bytes");
    parseContentType(text);
    parseStructured(text);
  },
};

function checkGate(message: Uint8Array, random: Random): void {
  const facts = (pieces: readonly Uint8Array[]) => {
    const scanner = createMessageScanner();
    for (const piece of pieces) {
      const loan = Buffer.from(piece);
      scanner.write(loan);
      loan.fill(0xaa);
    }
    return JSON.stringify(scanner.end());
  };
  const whole = facts([message]);
  const pieces = facts(cut(message, random));
  if (whole !== pieces) throw new Error(`the gate's answer depends on the cuts: ${whole} ${pieces}`);
}

function checkStructure(message: Uint8Array, random: Random): void {
  const whole = parseStructure(message);
  const reader = new StructureReader();
  for (const piece of cut(message, random)) {
    const loan = Buffer.from(piece);
    reader.write(loan);
    loan.fill(0xaa);
  }
  const pieces = reader.end();
  const shown = [whole, pieces].map(
    ({ root, envelope }) => formatStructure(root, true) + formatEnvelope(envelope),
  );
  if (shown[0] !== shown[1]) throw new Error(`the structure depends on the cuts: ${shown.join("\n")}`);
  checkRanges(whole.root, 0, message.length);
}

function checkRanges(part: MimePart, from: number, to: number): void {
  const { header, body } = part;
  if (header.start < from || header.end < header.start || body.start < header.end || body.end < body.start)
    throw new Error(`a part out of order: ${JSON.stringify({ header, body, from, to })}`);
  // An empty body may stand behind the line end that belongs to the delimiter already (RFC 2046 §5.1.1).
  if (body.end > to && body.end > body.start)
    throw new Error(`a part beyond its container: ${JSON.stringify({ body, to })}`);
  for (const child of part.parts) checkRanges(child, body.start, body.end);
  if (part.message !== undefined) checkRanges(part.message.root, body.start, body.end);
}

function checkHeader(header: Uint8Array): void {
  for (const field of parseFields(header)) {
    const inOrder = field.start <= field.valueStart && field.valueStart <= field.valueEnd;
    if (!inOrder || field.valueEnd > field.end || field.end > header.length)
      throw new Error(`a field out of order: ${JSON.stringify(field)}`);
  }
  const kept = selectFields(header, GATE_FIELDS).length + selectFieldsNot(header, GATE_FIELDS).length;
  if (kept > header.length + 4) throw new Error("fields were made up");
  // What is taken off and put in is little, and a tidy header stays tidy.
  for (const clean of [cleanDelivered, cleanSubmitted]) {
    const cleaned = clean(header);
    if (cleaned.length > header.length + 100) throw new Error("cleaning made a header longer");
    if (isTidy(header) && !isTidy(cleaned)) throw new Error("cleaning spoilt a header");
  }
}
