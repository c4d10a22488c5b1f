/**
 * Time grows with the input and not faster: each parser is fed a hostile unit many times over, then eight times as
 * often. Slow machines are slow twice, so the quotient tells; only what still fails when tried again counts.
 */
import { fromLatin1 } from "../../src/core/bytes.ts";
import { Args } from "../../src/imap/engine/args.ts";
import { readFetchItems } from "../../src/imap/engine/fetch/items.ts";
import { matchesListPattern } from "../../src/imap/engine/list-pattern.ts";
import { Receiver } from "../../src/imap/engine/receiver.ts";
import { readSearchKeys } from "../../src/imap/engine/search/keys.ts";
import { parseSequenceSet, resolveSet } from "../../src/imap/engine/sequence-set.ts";
import { parseAddressList } from "../../src/mime/addresses.ts";
import { parseFields } from "../../src/mime/header.ts";
import { parseStructure } from "../../src/mime/structure.ts";
import { parseContentType } from "../../src/mime/structured.ts";
import { headEnd, parseHead } from "../../src/net/request-head.ts";
import { createMessageScanner } from "../../src/pgp/scanner.ts";
import { SmtpEngine } from "../../src/smtp/engine/engine.ts";
import { FakeDoor } from "../talks/smtp/fakes.ts";
import { Random } from "./random.ts";

const GROWTH = 8;
/** A quadratic parser takes 64 times as long. */
const GROWTH_MAX = 3 * GROWTH;
const SMALL_BYTES = 16 * 1024;
/** Less than this tells nothing; and nothing that takes so little does harm. */
const MEASURABLE_MS = 30;
const TRIES = 3;

const UNITS = [
  ...'( (( ) () " "" \\ \\" < <a <a@b>, a@b, , ; : a:; @ . [ ] {1} * % *% *a% ,1 1:*, 1, NOT  OR  =?'.split(
    " ",
  ),
  ...'a; x= x=y; x*0=a; " ; \r\n \r\n\t a:\r\n : --b\r\n --b --b--\r\n --\r\n - \0 \xff =\r\n = wcBM'.split(
    " ",
  ),
  "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
  "--b\r\nContent-Type: message/rfc822\r\n\r\n",
  "-----BEGIN PGP MESSAGE-----\r\n",
  "EHLO x\r\n",
  "RCPT TO:<a@relay.test>\r\n",
  "a1 NOOP\r\n",
  "BODY[1.1.1.1] ",
  " ",
  "\r\n",
  "\n",
  "\r",
  ".\r\n",
];
const MULTIPART = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
const ENCRYPTED =
  'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b\r\n\r\n--b\r\n' +
  "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n";

const PARSERS: Readonly<Record<string, (text: string) => void>> = {
  addresses: (text) => parseAddressList(text),
  contentType: (text) => parseContentType(`multipart/mixed; ${text}`),
  fields: (text) => parseFields(fromLatin1(text)),
  structure: (text) => parseStructure(fromLatin1(MULTIPART + text)),
  headerStructure: (text) => parseStructure(fromLatin1(`To: ${text}`)),
  gate: (text) => scan(ENCRYPTED + text),
  gateHeader: (text) => scan(`From: ${text}\r\n\r\n`),
  imapLine: (text) => receive(`a1 SEARCH ${text}\r\n`),
  imapLines: (text) => receive(text),
  sequenceSet: (text) => void resolveSet(parseSequenceSet(text) ?? [], 1000),
  listPattern: (text) => void matchesListPattern(text.slice(0, 500), "a".repeat(text.length)),
  requestHead: (text) => {
    const bytes = fromLatin1(`GET / HTTP/1.1\r\n${text}\r\n\r\n`);
    const end = headEnd(bytes);
    if (end > 0) parseHead(bytes.subarray(0, end));
  },
  smtp: (text) => talkSmtp(`EHLO x\r\nMAIL FROM:<a@relay.test>\r\nRCPT TO:<b@relay.test>\r\nDATA\r\n${text}`),
  smtpCommands: (text) => talkSmtp(text),
};

export const linearFuzz: { name: string; timed: true; run(seed: number): void } = {
  name: "linear",
  timed: true,
  run(seed) {
    const random = new Random(seed);
    const unit = random.pick(UNITS) + (random.below(2) === 0 ? random.pick(UNITS) : "");
    const name = random.pick(Object.keys(PARSERS));
    const parse = PARSERS[name];
    if (parse === undefined || unit === "") return;
    const repeated = (bytes: number) => unit.repeat(Math.ceil(bytes / unit.length));
    let small = 0;
    let large = Number.POSITIVE_INFINITY;
    for (let tried = 1; tried <= TRIES; tried++) {
      small = Math.max(small, timed(parse, repeated(SMALL_BYTES)));
      large = Math.min(large, timed(parse, repeated(SMALL_BYTES * GROWTH)));
      if (large < MEASURABLE_MS || large < small * GROWTH_MAX) return;
    }
    throw new Error(`${name} is not linear in ${JSON.stringify(unit)}: ${small} ms, then ${large} ms`);
  },
};

/** Of this process, for others may hold the machine meanwhile. */
function timed(parse: (text: string) => void, text: string): number {
  const before = process.cpuUsage().user;
  parse(text);
  return (process.cpuUsage().user - before) / 1000;
}

function scan(text: string): void {
  const scanner = createMessageScanner();
  scanner.write(fromLatin1(text));
  scanner.end();
}

function receive(text: string): void {
  const receiver = new Receiver();
  receiver.trusted = true;
  receiver.push(fromLatin1(text));
  for (let item = receiver.next(); item !== undefined; item = receiver.next()) {
    if (item.kind === "streamBegins") receiver.skipStream(!item.sync);
    if (item.kind === "fatal") return;
    if (item.kind !== "command") continue;
    readFetchItems(new Args(item.parts));
    readSearchKeys(new Args(item.parts));
  }
}

function talkSmtp(text: string): void {
  const engine = new SmtpEngine({
    mode: "smtp",
    hostname: "h",
    secure: false,
    tlsAvailable: true,
    tlsRequired: false,
    limits: new FakeDoor(),
  });
  engine.greet();
  engine.feed(fromLatin1(text));
}
