/** Imports that break off at any point: what comes after the next run is what one run would have brought. */
import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAddress } from "../core/address.ts";
import { AccountRows } from "../db/accounts.ts";
import { closeDatabase, openDatabase } from "../db/open.ts";
import { openSource } from "./detect.ts";
import { faultOf } from "./fault.test-help.ts";
import { type ImportReport, runImport, surveySource } from "./importer.ts";

const root = mkdtempSync(join(tmpdir(), "madmail-importer-"));
afterAll(() => rmSync(root, { recursive: true }));
const users = ["ada@relay.test", "bob@relay.test", "eve@relay.test"];
const MESSAGES = 4;
const source = join(root, "home/vmail/mail");
for (const [index, user] of users.entries()) {
  const home = join(source, "relay.test", user);
  for (const part of ["cur", "new", "tmp"]) mkdirSync(join(home, part), { recursive: true });
  const lines = [`3 V${100 + index} N20`];
  for (let uid = 1; uid <= MESSAGES; uid++) {
    writeFileSync(join(home, "cur", `1700000000.M${uid}.h:2,S`), `Subject: ${user} ${uid}\n\nbody\n`);
    lines.push(`${uid * 2} :1700000000.M${uid}.h`);
  }
  writeFileSync(join(home, "dovecot-uidlist"), `${lines.join("\n")}\n`);
  writeFileSync(join(home, "password"), `{PLAIN}${user}`);
}

let count = 0;
const freshState = () => join(root, `state${++count}`);

async function run(stateDir: string, onMessage: () => void = () => {}): Promise<ImportReport> {
  const opened = openSource(source, "chatmail");
  let messages = 0;
  return await runImport(opened, stateDir, "host", (progress) => {
    if (progress.messages > messages) onMessage();
    messages = progress.messages;
  });
}

/** Mail as it lies there, with names that do not depend on the run; rows; what else is in mail/. */
function result(stateDir: string): unknown {
  const mail = join(stateDir, "mail");
  const files = readdirSync(mail, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return `${path.slice(mail.length).replace(/R[^,]*Q\d+/, "RQ")} ${readFileSync(path, "latin1")}`;
    });
  const db = new Database(join(stateDir, "madmail.db"), { readonly: true });
  const rows = db.query("SELECT username, hash FROM passwords ORDER BY username").values();
  db.close();
  return { files: files.sort(), rows };
}

const wholeDir = freshState();
const whole = await run(wholeDir);
const wanted = result(wholeDir);

test("one run brings everything, a second one nothing", async () => {
  expect(whole).toMatchObject({ accounts: 3, messages: 12, mailboxes: 3 });
  expect(await run(wholeDir)).toMatchObject({ accounts: 0, accountsBefore: 3, messages: 0 });
  expect(result(wholeDir)).toEqual(wanted);
});

for (let stop = 1; stop <= users.length * MESSAGES; stop++) {
  test(`broken off at message ${stop}, the next run ends with the same`, async () => {
    const stateDir = freshState();
    let seen = 0;
    const broken = run(stateDir, () => {
      if (++seen === stop) throw new Error("the disk is gone");
    });
    expect(await faultOf(broken)).toHaveProperty("message", "the disk is gone");
    const { accountsBefore } = await run(stateDir);
    expect(accountsBefore).toBe(Math.floor((stop - 1) / MESSAGES));
    expect(result(stateDir)).toEqual(wanted);
  });
}

test("killed between its steps, an account is taken up where it was", async () => {
  const journal = (dir: string) => join(dir, "import.journal");
  const address = parseAddress(users[2] ?? "");
  if (address === undefined) throw new Error("no address");
  const { id } = JSON.parse(readFileSync(journal(wholeDir), "utf8").split("\n")[0] ?? "") as { id: string };
  const states: [string, (dir: string) => void][] = [
    ["in the journal by half", () => {}],
    [
      "at its place, not in the journal",
      (dir) => writeFileSync(join(dir, "mail", address, `.import-${id}`), ""),
    ],
    [
      "its row written, its mail staged",
      (dir) => {
        mkdirSync(join(dir, "mail/.import"));
        renameSync(join(dir, "mail", address), join(dir, "mail/.import", address));
      },
    ],
  ];
  for (const [what, prepare] of states) {
    const stateDir = freshState();
    await run(stateDir);
    const text = readFileSync(journal(stateDir), "utf8").replace(/"id":"\w+"/, `"id":"${id}"`);
    const torn = text.slice(0, text.indexOf(`{"done":"${address}"`) + (what.startsWith("in the") ? 12 : 0));
    writeFileSync(journal(stateDir), torn);
    if (what.startsWith("in the")) writeFileSync(join(stateDir, "mail", address, `.import-${id}`), "");
    prepare(stateDir);
    expect([what, (await run(stateDir)).accountsBefore]).toEqual([what, 2]);
    expect([what, result(stateDir)]).toEqual([what, wanted]);
  }
});

test("an address that is taken here stays as it is, and is told", async () => {
  const stateDir = freshState();
  mkdirSync(stateDir);
  const db = openDatabase(join(stateDir, "madmail.db"));
  const address = parseAddress(users[0] ?? "");
  if (address === undefined) throw new Error("no address");
  new AccountRows(db).insert(address, {
    hash: "mine",
    createdAtSec: 1,
    firstLoginAtSec: 1,
    lastLoginAtSec: 1,
    quotaBytes: 0,
    usedToken: undefined,
  });
  closeDatabase(db);
  const why = "an address that has another account here already";
  const dry = await surveySource(openSource(source, "auto"), stateDir);
  for (const report of [dry, await run(stateDir)]) {
    expect(report).toMatchObject({ accounts: 2, messages: 8 });
    expect(report.leftBehind).toContainEqual({ why, count: 1, examples: [address] });
  }
});

test("an import from elsewhere does not begin before the last one ended", async () => {
  const stateDir = freshState();
  const stop = (): never => {
    throw new Error("stop");
  };
  expect(await faultOf(run(stateDir, stop))).toHaveProperty("message", "stop");
  const other = join(root, "other/mail");
  mkdirSync(join(other, "relay.test/zoe@relay.test"), { recursive: true });
  writeFileSync(join(other, "relay.test/zoe@relay.test/password"), "{PLAIN}x");
  const fault = await faultOf(runImport(openSource(other, "auto"), stateDir, "host"));
  expect(fault).toHaveProperty("message", expect.stringContaining("is not finished"));
  await run(stateDir);
  expect(await runImport(openSource(other, "auto"), stateDir, "host")).toMatchObject({ accounts: 1 });
});
