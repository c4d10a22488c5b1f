/** Backups of a relay that goes on, and their restoration: nothing that was answered before is missing. */
import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { append, lookAt } from "../support/dovecot-source.ts";
import { ImapClient } from "../support/imap-client.ts";
import { joinMail, pgpBody } from "../support/pgp-mail.ts";
import { Relay, runMadmail } from "../support/relay.ts";

const undo: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

function freshDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "madmail-backup-"));
  undo.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function started(dir: string, name: string): Promise<Relay> {
  mkdirSync(dir, { recursive: true });
  const relay = await Relay.start({ name, dir });
  undo.push(() => relay.dispose());
  return relay;
}

const body = await pgpBody(3000);
const message = (name: string): string =>
  joinMail({ from: "ada@relay.test", messageId: `${name}@localhost` }, body).toString("latin1");

async function client(relay: Relay, user: string): Promise<ImapClient> {
  const imap = await ImapClient.open({ host: "127.0.0.1", port: relay.ports.imaps, tls: true });
  expect((await imap.login(relay.address(user), "pass word-12")).status).toBe("OK");
  await imap.select("INBOX");
  return imap;
}

/** Appends, flags, expunges and moves without a pause. */
async function churn(imap: ImapClient, going: () => boolean, name: string): Promise<number> {
  let count = 0;
  await imap.command("CREATE Moved");
  for (; going() || count < 20; count++) {
    await imap.ok(append("INBOX", "", "01-Jan-2026 00:00:00 +0000", message(`${name}-${count}`)));
    await imap.ok("NOOP");
    await imap.ok("UID STORE * +FLAGS (\\Seen)");
    if (count % 3 === 1) await imap.ok("UID MOVE * Moved");
    if (count % 5 === 4) {
      await imap.ok("UID STORE * +FLAGS (\\Deleted)");
      await imap.ok("EXPUNGE");
    }
  }
  return count;
}

const backUp = (relay: Relay, file: string) =>
  runMadmail([
    "backup",
    file,
    "--state-dir",
    relay.stateDir,
    "--config",
    join(relay.dir, "madmail.toml"),
    "--json",
  ]);

test("a backup under load holds all that was there before it, and goes back", async () => {
  const dir = freshDir();
  const relay = await started(join(dir, "old"), "backup");
  const calm = await client(relay, "calm2345");
  for (let i = 0; i < 30; i++) {
    await calm.ok(
      append("INBOX", i % 2 === 0 ? "\\Seen $Label" : "", "02-Jan-2026 00:00:00 +0000", message(`calm-${i}`)),
    );
  }
  const before = await lookAt(calm);
  const busy = await Promise.all(["busy2345", "busy3456"].map((user) => client(relay, user)));
  let isGoing = true;
  const churned = Promise.all(busy.map((imap, index) => churn(imap, () => isGoing, `busy${index}`)));
  const file = join(dir, "all.tar.gz");
  const { code, output } = await backUp(relay, file);
  isGoing = false;
  await churned;
  expect([code, JSON.parse(output)]).toEqual([0, expect.objectContaining({ ok: true, command: "backup" })]);
  expect(JSON.parse(output).data.running).toBe(true);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir).sort()).toEqual(["all.tar.gz", "old"]);
  for (const imap of [...busy, calm]) imap.close();
  await relay.stop();

  const fresh = join(dir, "new");
  mkdirSync(fresh);
  const restored = await runMadmail([
    "restore",
    file,
    "--state-dir",
    join(fresh, "state"),
    "--yes",
    "--json",
  ]);
  expect([restored.code, JSON.parse(restored.output).data]).toEqual([
    0,
    expect.objectContaining({ accounts: 3 }),
  ]);
  expect(existsSync(join(fresh, "state/backup-config/madmail.toml"))).toBe(true);
  const again = await started(fresh, "restored");
  const imap = await client(again, "calm2345");
  const after = await lookAt(imap);
  // A running relay reserves UIDs in blocks, and a block counts as used.
  expect((after[0]?.uidNext ?? 0) - (before[0]?.uidNext ?? 0)).toBeGreaterThanOrEqual(10_000);
  const lasting = (mailboxes: typeof before) =>
    mailboxes.map(({ name, uidValidity, messages }) => ({ name, uidValidity, messages }));
  expect(lasting(after)).toEqual(lasting(before));
  imap.close();
  for (const user of ["busy2345", "busy3456"]) {
    const moved = await client(again, user);
    const subjects = (await lookAt(moved)).flatMap(({ messages }) => messages.map(({ body }) => body));
    expect(new Set(subjects).size).toBe(subjects.length);
    moved.close();
  }
});

test("a damaged, cut or foreign archive is refused before anything is touched", async () => {
  const dir = freshDir();
  const relay = await started(join(dir, "old"), "backup-damage");
  const imap = await client(relay, "calm2345");
  await imap.ok(append("INBOX", "", "02-Jan-2026 00:00:00 +0000", message("one")));
  imap.close();
  await relay.stop();
  const file = join(dir, "all.tar");
  expect((await backUp(relay, file)).code).toBe(0);
  const bytes = readFileSync(file);
  const at = bytes.indexOf("-----BEGIN PGP MESSAGE-----") + 200;
  const damaged = Buffer.from(bytes);
  damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
  const names = Buffer.from(bytes);
  names.write("../../etc/passwd\0", 0, "latin1");
  const rows: [string, Buffer, string][] = [
    ["damaged", damaged, "is not what the manifest says: the archive is damaged"],
    ["cut", bytes.subarray(0, bytes.length / 2), "cut off"],
    ["a wrong name", names, "checksum is wrong"],
    ["something else", Buffer.from("hello ".repeat(500)), "checksum is wrong"],
  ];
  for (const [what, content, why] of rows) {
    const path = join(dir, "bad.tar");
    writeFileSync(path, content);
    for (const more of [["--dry-run"], ["--yes"]]) {
      const { code, output } = await runMadmail(["restore", path, "--state-dir", relay.stateDir, ...more]);
      expect([what, code, output]).toEqual([what, 1, expect.stringContaining(why)]);
    }
    expect(readdirSync(relay.dir).sort()).toEqual(["madmail.toml", "state"]);
  }
  const packed = join(dir, "all.tar.zst");
  expect((await backUp(relay, packed)).code).toBe(0);
  expect((await runMadmail(["restore", packed, "--dry-run"])).code).toBe(0);
  truncateSync(packed, Math.floor(statSync(packed).size / 2));
  expect((await runMadmail(["restore", packed, "--dry-run"])).code).toBe(1);
  expect((await backUp(relay, file)).output).toContain("is there already");
});

test("a running relay is not restored over; a stopped one is moved aside; a newer database is refused", async () => {
  const dir = freshDir();
  const relay = await started(join(dir, "old"), "backup-swap");
  (await client(relay, "calm2345")).close();
  const file = join(dir, "all.tar.gz");
  expect((await backUp(relay, file)).code).toBe(0);
  const restore = () => runMadmail(["restore", file, "--state-dir", relay.stateDir, "--yes"]);
  expect(await restore()).toMatchObject({
    code: 1,
    output: expect.stringContaining("is in use by another madmail"),
  });
  await relay.stop();
  const { code, output } = await restore();
  expect([code, output]).toEqual([0, expect.stringContaining("What was there is now")]);
  expect(readdirSync(relay.dir).filter((name) => name.startsWith("state.before-"))).toHaveLength(1);
  await relay.restart();
  (await client(relay, "calm2345")).close();
  await relay.stop();

  const db = new Database(join(relay.stateDir, "madmail.db"));
  db.run("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('future', 9999999999999)");
  db.close();
  const newer = join(dir, "newer.tar");
  expect((await backUp(relay, newer)).code).toBe(0);
  const refused = await runMadmail(["restore", newer, "--state-dir", join(dir, "elsewhere"), "--yes"]);
  expect([refused.code, refused.output]).toEqual([1, expect.stringContaining("newer version")]);
  expect(existsSync(join(dir, "elsewhere"))).toBe(false);
  const source = join(dir, "source");
  mkdirSync(join(source, "mail"), { recursive: true });
  writeFileSync(join(source, "credentials.db"), "");
  const imported = await runMadmail(["import", source, "--state-dir", relay.stateDir, "--yes"]);
  expect([imported.code, imported.output]).toEqual([1, expect.stringContaining("newer version")]);
});
