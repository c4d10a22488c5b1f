import { expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Event } from "./events.ts";
import { isJournal, LogDestination } from "./destination.ts";
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

test("an event can be one JSON object, redacted like text", () => {
  const lines: string[] = [];
  const log = createLog("debug", (line) => lines.push(line), "json");
  log.emit({ kind: "messageAccepted", via: "submission", bytes: 4711, recipients: 2 });
  log.emit({ kind: "storageTrouble", what: "for alice@relay.test" });
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
    { level: "info", event: "messageAccepted", via: "submission", bytes: 4711, recipients: 2 },
    { level: "error", event: "storageTrouble", what: "for <address>" },
  ]);
});

test("the output changes while counts go on", () => {
  const { log, lines } = logAt("off");
  log.emit({ kind: "pushPaused" });
  const levels: string[] = [];
  log.adjust({ level: "debug", format: "text", sink: (_, level) => levels.push(level) });
  for (const event of events) log.emit(event);
  log.emit({ kind: "pushPaused" });
  expect(lines).toEqual([]);
  expect(levels).toEqual(["error", "error", "info", "info", "debug", "info"]);
  expect(log.counts().get("pushPaused")).toBe(2);
});

test("a file is its owner's, and is opened anew", () => {
  const dir = mkdtempSync(join(tmpdir(), "madmail-log-"));
  try {
    const file = join(dir, "log");
    const destination = new LogDestination({ to: "file", file });
    destination.write("one", "info");
    renameSync(file, `${file}.1`);
    destination.write("two", "info");
    destination.open({ to: "file", file });
    destination.write("three", "error");
    expect(readFileSync(`${file}.1`, "utf8")).toBe("one\ntwo\n");
    expect(readFileSync(file, "utf8")).toBe("three\n");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(() => destination.open({ to: "file", file: join(dir, "none", "log") })).toThrow("ENOENT");
    destination.write("four", "info");
    expect(readFileSync(file, "utf8")).toBe("three\nfour\n");
    const { dev, ino } = statSync(file);
    const fd = openSync(file, "r");
    expect(isJournal(fd, `${dev}:${ino}`)).toBe(true);
    expect(isJournal(fd, `${dev}:${ino + 1}`)).toBe(false);
    expect(isJournal(fd, "")).toBe(false);
    closeSync(fd);
    expect(isJournal(fd + 1000, "1:1")).toBe(false);
    destination.open({ to: "stderr", file: undefined });
  } finally {
    rmSync(dir, { recursive: true });
  }
});

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
