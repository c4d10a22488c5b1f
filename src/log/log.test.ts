import { expect, test } from "bun:test";
import type { Event } from "./events.ts";
import { createLog, type LogLevel } from "./log.ts";

function logAt(level: LogLevel) {
  const lines: string[] = [];
  return { log: createLog(level, (line) => lines.push(line)), lines };
}

const events: readonly Event[] = [
  { kind: "internalFault", where: "smtp", error: new Error("boom") },
  { kind: "storageTrouble", what: "deliver: full" },
  { kind: "messageAccepted", via: "submission", bytes: 4711, recipients: 2 },
  { kind: "messageRefused", via: "smtp", why: "encryptionNeeded" },
  { kind: "connectionOpened", proto: "imap", connection: 7, secure: true },
];

const levels: readonly [level: LogLevel, printed: number][] = [
  ["off", 0],
  ["error", 2],
  ["info", 4],
  ["debug", 5],
];
for (const [level, printed] of levels) {
  test(`level ${level} prints ${printed} of 5 events and counts all`, () => {
    const { log, lines } = logAt(level);
    for (const event of events) log.emit(event);
    expect(lines).toHaveLength(printed);
    expect([...log.counts()]).toEqual([
      ["internalFault", 1],
      ["storageTrouble", 1],
      ["messageAccepted", 1],
      ["messageRefused.encryptionNeeded", 1],
      ["connectionOpened", 1],
    ]);
  });
}

test("a line is one line of name=value", () => {
  const { log, lines } = logAt("debug");
  log.emit({ kind: "messageAccepted", via: "submission", bytes: 4711, recipients: 2 });
  log.emit({ kind: "storageTrouble", what: 'deliver: "full"\nnext' });
  expect(lines).toEqual([
    "level=info event=messageAccepted via=submission bytes=4711 recipients=2",
    'level=error event=storageTrouble what="deliver: \\"full\\" next"',
  ]);
});

test("an internal fault tells its causes and places, and names nobody", () => {
  const { log, lines } = logAt("error");
  const cause = Object.assign(new Error("ENOENT: open '/var/lib/madmail/mail/alice/Maildir/new/1'"), {
    code: "ENOENT",
  });
  log.emit({ kind: "internalFault", where: "imap", error: new Error("for alice@relay.test", { cause }) });
  const [line = ""] = lines;
  expect(line).toStartWith('level=error event=internalFault where=imap error="Error: for <address>');
  expect(line).toContain("<- Error: ENOENT: open '<path>'");
  expect(line).not.toContain("alice");
  expect(line).not.toContain("\n");
});

test("whatever is thrown can be told", () => {
  const { log, lines } = logAt("error");
  const circular = new Error("a");
  circular.cause = circular;
  for (const error of [undefined, null, 7, "text by bob@peer.test", {}, circular]) {
    log.emit({ kind: "internalFault", where: "x", error });
  }
  expect(lines).toHaveLength(6);
  expect(lines.join(" ")).not.toContain("bob");
});

test("counters are bounded whatever the reasons", () => {
  const { log } = logAt("off");
  for (let i = 0; i < 5000; i++) log.emit({ kind: "loginFailed", proto: "imap", why: `reason ${i}` });
  expect(log.counts().size).toBeLessThanOrEqual(1001);
  expect(log.counts().get("loginFailed")).toBe(4000);
});
