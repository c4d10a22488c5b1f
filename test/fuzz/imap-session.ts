/**
 * A logged-in client that says anything, on a store in memory: the talks with spoilt bytes, and commands put together
 * from words. The host reports no fault of its own, says no more than a bound, and says the same however the bytes
 * arrive.
 */
import { concat, fromLatin1, toLatin1 } from "../../src/core/bytes.ts";
import { FakeWorld, loggedIn, MANY, settle } from "../../src/imap/fake-peer.test-help.ts";
import { DICTIONARY } from "./imap.ts";
import { cut, mutate, Random, talkSeeds } from "./random.ts";

/** A stream is a few kB; no answer to it may be more than this. */
const OUTPUT_MAX_BYTES = 4 * 1024 * 1024;
const COMMANDS_MAX = 12;
const WORDS_MAX = 10;
const MUTATIONS_MAX = 6;

const VERBS = [
  ..."SELECT EXAMINE CREATE DELETE RENAME SUBSCRIBE UNSUBSCRIBE LIST LSUB STATUS APPEND CHECK CLOSE UNSELECT".split(
    " ",
  ),
  ..."EXPUNGE SEARCH FETCH STORE COPY MOVE NOOP IDLE ENABLE ID NAMESPACE GETQUOTA GETQUOTAROOT SETMETADATA".split(
    " ",
  ),
  "GETMETADATA",
  "UID FETCH",
  "UID STORE",
  "UID SEARCH",
  "UID COPY",
  "UID MOVE",
  "UID EXPUNGE",
];
/** Whole arguments that lead deep. */
const ARGUMENTS = [
  "INBOX",
  "Sent",
  "1:* (FLAGS UID ENVELOPE BODYSTRUCTURE BODY.PEEK[])",
  "1:* (BODY[1.1.MIME] BODY[TEXT]<3.9> RFC822.HEADER)",
  "1:3 +FLAGS (\\Deleted $X)",
  "* -FLAGS.SILENT (\\Seen)",
  "1:* (UNCHANGEDSINCE 3) FLAGS (\\Seen)",
  "RETURN (MIN MAX COUNT) OR (SEEN 1:3) NOT (SUBJECT x BODY y)",
  'HEADER Subject "a"',
  "1,2:* INBOX",
  "1:* Sent",
  'INBOX (\\Seen) "07-Feb-2026 10:00:00 +0000" {9+}\r\nPGP\r\n\r\nxy',
  "INBOX {4}\r\nPGP!",
  "(MESSAGES UIDNEXT HIGHESTMODSEQ SIZE)",
  '(SUBSCRIBED RECURSIVEMATCH) "" (* %) RETURN (STATUS (UNSEEN) CHILDREN)',
  '"" *',
  'INBOX (/private/devicetoken "x")',
  '(DEPTH infinity MAXSIZE 10) "" (/shared)',
  "CONDSTORE QRESYNC UTF8=ACCEPT",
  "INBOX (QRESYNC (1000 2 1:9 (1:2 1:2)))",
];
const WORDS = [...DICTIONARY, ...VERBS, ...ARGUMENTS, "\r\nz NOOP\r\n", "\r\nDONE\r\n"];
/** Where these stand, what follows is read in another way, by design: cuts then matter. */
const CHANGES_THE_STREAM = /compress|starttls/i;
const MESSAGES = [
  "From: a@relay.test\r\nSubject: one\r\n\r\nPGP body\r\n",
  "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ny\r\n--b--\r\n",
  "",
  "no header at all",
];

const seeds = talkSeeds("imap");

export const imapSessionFuzz: { name: string; run(seed: number): Promise<void> } = {
  name: "imap-session",
  async run(seed) {
    const random = new Random(seed);
    const stream = makeStream(random);
    const whole = await converse([stream]);
    if (CHANGES_THE_STREAM.test(toLatin1(stream))) return;
    const pieces = await converse(cut(stream, random));
    if (whole !== pieces) throw new Error(`answers depend on the cuts: ${JSON.stringify({ whole, pieces })}`);
  },
};

function makeStream(random: Random): Uint8Array {
  if (random.below(2) === 0) return mutate(random.pick(seeds), random, WORDS, MUTATIONS_MAX);
  const commands = Array.from({ length: 1 + random.below(COMMANDS_MAX) }, (_, i) => {
    const words = Array.from({ length: random.below(WORDS_MAX) }, () => random.pick(WORDS));
    const rest = random.below(2) === 0 ? random.pick(ARGUMENTS) : words.join(random.pick([" ", ""]));
    return `${i} ${random.pick(VERBS)} ${rest}\r\n`;
  });
  return mutate(fromLatin1(commands.join("")), random, WORDS, 2);
}

async function converse(pieces: readonly Uint8Array[]): Promise<string> {
  const world = new FakeWorld();
  const inbox = world.store.of(MANY).box("INBOX");
  for (const message of MESSAGES) inbox.add(message);
  await world.store.of(MANY).create("Sent");
  const peer = await loggedIn(world, true);
  for (const piece of pieces) {
    peer.send(piece);
    await settle();
  }
  const output = concat([peer.output()]);
  peer.destroy();
  await settle();
  const fault = world.events.find(({ kind }) => kind === "internalFault");
  if (fault !== undefined) throw new Error(`internal fault: ${JSON.stringify(fault)}`, { cause: fault });
  if (output.length > OUTPUT_MAX_BYTES) throw new Error(`${output.length} bytes were said`);
  return toLatin1(output);
}
