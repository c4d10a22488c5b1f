/**
 * Hostile and confused IMAP clients, made from a seed: whatever they say and however it is cut, the host does not
 * throw, reports no internal fault, keeps its input bounded, and says the same.
 */
import { Receiver } from "../../src/imap/engine/receiver.ts";
import { Args } from "../../src/imap/engine/args.ts";
import { commands } from "../../src/imap/engine/commands/table.ts";
import { readFetchItems } from "../../src/imap/engine/fetch/items.ts";
import { readSearchKeys } from "../../src/imap/engine/search/keys.ts";
import { FakePeer, FakeWorld, MANY } from "../../src/imap/fake-peer.test-help.ts";
import { fromLatin1 } from "../../src/core/bytes.ts";
import { Random } from "./random.ts";

/** Words that grammars turn on. */
export const DICTIONARY = [
  ...'a1 b2 * + ( ) [ ] { } < > " \\ % , : . ~ NIL 0 1 4294967295 99999999999 1:* *:1 1,2,3 {3} {3+} {0+} {9999999+}'.split(
    " ",
  ),
  ..."\\Seen \\Deleted $X +FLAGS -FLAGS.SILENT FLAGS BODY[] BODY.PEEK[HEADER.FIELDS (FROM)] BODY[1.MIME]<0.5> ALL".split(
    " ",
  ),
  ..."CONDSTORE QRESYNC UNCHANGEDSINCE CHANGEDSINCE VANISHED RETURN (MIN) OR NOT BEFORE 7-Feb-2026 HEADER DEPTH".split(
    " ",
  ),
  ...'INBOX "INBOX" Sent &AOQ- DONE secret many@relay.example APPEND PLAIN = /private/devicetoken DEFLATE'.split(
    " ",
  ),
  ...commands.keys(),
  " ",
  " ",
  " ",
  "\r\n",
  "\r\n",
  "\n",
  "\r",
  "\0",
  "\xff",
];

export const imapFuzz: { name: string; run(seed: number): void } = {
  name: "imap",
  run(seed) {
    const random = new Random(seed);
    const bytes = fromLatin1(makeStream(random));
    const whole = converse(bytes, () => bytes.length);
    const cut = converse(bytes, () => 1 + random.below(12));
    if (whole !== cut) throw new Error(`answers depend on the cuts: ${JSON.stringify({ whole, cut })}`);
    parseAll(fromLatin1(makeStream(random)));
  },
};

/** One connection with fakes; what happens without waiting for promises is the same however it is cut. */
function converse(bytes: Uint8Array, pieceLength: () => number): string {
  const world = new FakeWorld();
  const peer = new FakePeer(world);
  world.store.of(MANY).box("INBOX").add("From: a\r\n\r\nbody");
  for (let at = 0; at < bytes.length && !peer.closed; ) {
    const end = Math.min(bytes.length, at + pieceLength());
    peer.send(bytes.subarray(at, end));
    at = end;
  }
  const fault = world.events.find(({ kind }) => kind === "internalFault");
  if (fault !== undefined) throw new Error("internal fault", { cause: fault });
  peer.destroy();
  return Buffer.from(peer.output()).toString("latin1");
}

/** The parsers behind login, on the same kind of bytes. */
function parseAll(bytes: Uint8Array): void {
  const receiver = new Receiver();
  receiver.trusted = true;
  receiver.push(bytes);
  for (let item = receiver.next(); item !== undefined; item = receiver.next()) {
    if (item.kind === "streamBegins") receiver.skipStream(!item.sync);
    if (item.kind !== "command") continue;
    readFetchItems(new Args(item.parts));
    readSearchKeys(new Args(item.parts));
  }
}

/** A stream of words that grammars turn on. */
export function makeStream(random: Random): string {
  const words = Array.from({ length: 1 + random.below(60) }, () => random.pick(DICTIONARY));
  return words.join("");
}
