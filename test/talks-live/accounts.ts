/** Brings a fresh account into the state that an IMAP talk begins with, and hides what was said for that. */
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromLatin1, toLatin1 } from "../../src/core/bytes.ts";
import { folderDirectoryName } from "../../src/storage/names.ts";
import type { TalkTarget } from "../talks/play.ts";
import { type Talk, unescapeBytes } from "../talks/talk.ts";

/** The arrival time that the store in memory gives all messages. */
const ARRIVED_S = Date.UTC(2026, 1, 7, 21, 52, 25) / 1000;
/** … and the UIDVALIDITY of its mailboxes. */
const FAKE_UIDVALIDITY = "1000";
const UIDVALIDITY = /(?<=\[(?:UIDVALIDITY|APPENDUID|COPYUID) |\(UIDVALIDITY | UIDVALIDITY )\d+/g;
const LETTERS: Readonly<Record<string, string>> = {
  "\\Draft": "D",
  "\\Flagged": "F",
  "\\Answered": "R",
  "\\Seen": "S",
  "\\Deleted": "T",
};

/** Puts the talk's mailboxes and messages into a Maildir that no server has seen yet. */
export function seed(talk: Talk, maildir: string): void {
  makeMaildir(maildir);
  let count = 0;
  for (const { name, args } of talk.setup) {
    const [mailbox = "", flags = "", text = ""] = args;
    if (name !== "mailbox" && name !== "message") continue;
    const directory = mailbox === "INBOX" ? maildir : join(maildir, folderDirectoryName(mailbox));
    makeMaildir(directory);
    if (name === "mailbox") continue;
    const letters = flags
      .split(",")
      .map((flag) => LETTERS[flag] ?? "")
      .sort()
      .join("");
    const path = join(directory, "cur", `${ARRIVED_S}.M${count++}P1.talk:2,${letters}`);
    writeFileSync(path, unescapeBytes(text));
    utimesSync(path, ARRIVED_S, ARRIVED_S);
  }
}

/** @param target an open connection, nothing read yet. @param password also makes the account */
export async function logIn(
  target: TalkTarget,
  talk: Talk,
  user: string,
  password: string,
): Promise<TalkTarget> {
  await ask(target, `login LOGIN ${user} ${password}\r\n`, "login OK");
  const mailbox = talk.setup.find(({ name }) => name === "select")?.args[0];
  if (mailbox !== undefined) await ask(target, `select SELECT "${mailbox}"\r\n`, "select OK");
  const skippedBytes = target.output().length;
  return translated(target, (output) =>
    fromLatin1(toLatin1(output.subarray(skippedBytes)).replace(UIDVALIDITY, FAKE_UIDVALIDITY)),
  );
}

/** A target whose output is shown in another way. */
export function translated(target: TalkTarget, show: (output: Uint8Array) => Uint8Array): TalkTarget {
  return {
    send: (bytes) => target.send(bytes),
    output: () => show(target.output()),
    advance: (ms) => target.advance(ms),
    secure: () => target.secure(),
    event: (directive) => target.event(directive),
    get closed() {
      return target.closed;
    },
    settle: () => target.settle(),
    awaitOutput: () => target.awaitOutput?.() ?? Promise.resolve(),
    dispose: () => target.dispose(),
  };
}

async function ask(target: TalkTarget, line: string, answer: string): Promise<void> {
  target.send(Buffer.from(line));
  while (!Buffer.from(target.output()).includes(answer)) {
    if (target.closed) throw new Error(`hung up instead of ${answer}`);
    await target.awaitOutput?.();
  }
}

function makeMaildir(directory: string): void {
  for (const part of ["cur", "new", "tmp"]) mkdirSync(join(directory, part), { recursive: true });
}
