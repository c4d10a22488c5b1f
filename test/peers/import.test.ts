/** Imports: what another server kept is here afterwards, number for number. */
import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { whyNoDovecot } from "../oracle/dovecot.ts";
import { append, dovecotFilled, lookAt, message, writePassword } from "../support/dovecot-source.ts";
import { ImapClient } from "../support/imap-client.ts";
import { imapsql, madmail1Credentials, madmail2Database, write } from "../support/madmail-source.ts";
import { Relay, runMadmail, startMadmail } from "../support/relay.ts";

const noDovecot = whyNoDovecot();
if (noDovecot !== undefined) console.log(`imports from a real Dovecot are skipped: ${noDovecot}`);

const undo: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

function freshDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "madmail-import-"));
  undo.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Every file below with a digest of its bytes, so that an untouched source is seen to be one. */
function fingerprint(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return `${path} ${Bun.hash(readFileSync(path)).toString(16)}`;
    })
    .sort();
}

async function imported(source: string, stateDir: string, ...more: string[]) {
  const { code, output } = await runMadmail([
    "import",
    source,
    "--state-dir",
    stateDir,
    "--yes",
    "--json",
    ...more,
  ]);
  if (code !== 0) throw new Error(output);
  return (JSON.parse(output) as { data: Record<string, unknown> }).data;
}

async function loggedIn(relay: Relay, account: string, password: string): Promise<ImapClient> {
  const client = await ImapClient.open({ host: "127.0.0.1", port: relay.ports.imaps, tls: true });
  const answer = await client.login(account, password);
  expect(answer.status).toBe("OK");
  return client;
}

/** The names that Dovecot lists without being asked, and this relay too or not. */
const withMail = <T extends { messages: unknown[] }>(mailboxes: T[]): T[] =>
  mailboxes.filter(({ messages }) => messages.length > 0);

describe.skipIf(noDovecot !== undefined)("from a chatmail relay (Dovecot)", () => {
  const users = ["ada23456@relay.test", "bob23456@relay.test"] as const;

  async function fixture() {
    const dir = freshDir();
    const root = join(dir, "source");
    const seen = await dovecotFilled(users, root, async (client, account, maildir) => {
      for (let i = 1; i <= 5; i++)
        await client.ok(
          append("INBOX", "\\Seen", `0${i}-Jan-2026 10:20:30 +0000`, message(`${account.slice(0, 3)}-${i}`)),
        );
      await client.ok(append("INBOX", "$Label \\Flagged", "07-Jan-2026 10:20:30 +0000", message("keyword")));
      await client.ok("CREATE DeltaChat");
      await client.ok(
        append("DeltaChat", "\\Answered", "08-Jan-2026 10:20:30 +0000", message("folder", 4000)),
      );
      await client.ok("CREATE Gr&APwA3w-e");
      await client.ok("UID STORE 2 +FLAGS (\\Deleted)");
      await client.ok("UID EXPUNGE 2");
      writeFileSync(
        join(maildir, "new", "1767900000.M1P1.host"),
        message("delivered").replaceAll("\r\n", "\n"),
      );
      execFileSync("chown", ["-R", "--reference", maildir, join(maildir, "new")]);
      await client.ok("NOOP");
    });
    const hash = `{SHA512-CRYPT}${execFileSync("openssl", ["passwd", "-6", "-salt", "saltsalt", "pass word-12"]).toString().trim()}`;
    for (const user of users) writePassword(root, user, hash, 1_767_950_000);
    return { dir, root, seen };
  }

  test("mailboxes, UIDs, flags, dates, keywords, passwords and keys come over", async () => {
    const { dir, root, seen } = await fixture();
    mkdirSync(join(root, "etc/dkimkeys"), { recursive: true });
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    writeFileSync(
      join(root, "etc/dkimkeys/opendkim.private"),
      privateKey.export({ format: "pem", type: "pkcs1" }),
    );
    const before = fingerprint(root);
    const stateDir = join(dir, "relay/state");
    const dry = await runMadmail(["import", root, "--state-dir", stateDir, "--dry-run", "--json"]);
    expect(JSON.parse(dry.output).data).toMatchObject({
      dryRun: true,
      kind: "chatmail",
      accounts: 2,
      messages: 14,
    });
    expect(existsSync(stateDir)).toBe(false);
    expect(await imported(root, stateDir)).toMatchObject({ accounts: 2, messages: 14, dkim: true });
    expect(fingerprint(root)).toEqual(before);

    const relay = await Relay.start({ name: "import-chatmail", dir: join(dir, "relay") });
    undo.push(() => relay.dispose());
    for (const user of users) {
      const client = await loggedIn(relay, user, "pass word-12");
      expect(withMail(await lookAt(client))).toEqual(withMail(seen.get(user) ?? []));
      client.close();
    }
    expect(readdirSync(join(stateDir, "dkim")).sort()).toEqual([
      "ed25519.private",
      "keys.json",
      "opendkim.private",
    ]);
    await relay.stop();
    expect(await imported(root, stateDir)).toMatchObject({ accounts: 0, accountsBefore: 2, messages: 0 });
  });

  test("a running relay refuses, and is left alone", async () => {
    const { dir, root } = await fixture();
    mkdirSync(join(dir, "relay"));
    const relay = await Relay.start({ name: "import-running", dir: join(dir, "relay") });
    undo.push(() => relay.dispose());
    const { code, output } = await runMadmail(["import", root, "--state-dir", relay.stateDir, "--yes"]);
    expect([code, output]).toEqual([
      1,
      expect.stringContaining("is in use by another madmail process; stop it first"),
    ]);
    expect(existsSync(join(relay.stateDir, "import.journal"))).toBe(false);
  });
});

/** Rows that every madmail source here has, as this relay's own database shows them. */
function tablesOf(stateDir: string): unknown[] {
  const db = new Database(join(stateDir, "madmail.db"), { readonly: true });
  const rows = (sql: string) => db.query(sql).values();
  const found = [
    rows("SELECT username, max_storage FROM quotas WHERE username = '__GLOBAL_DEFAULT__'"),
    rows("SELECT username, reason, blocked_at FROM blocked_users"),
    rows("SELECT token, max_uses, used_count, comment, expires_at, created_at FROM registration_tokens"),
    rows("SELECT domain FROM federation_rules"),
    rows("SELECT lookup_key, target_host, comment FROM dns_overrides"),
  ];
  db.close();
  return found;
}

const sharedRows = [
  [["__GLOBAL_DEFAULT__", 1_000_000_000]],
  [["eve12345@relay.test", "spam", 1_767_323_045]],
  [["invite", 5, 2, "friends", 1_893_456_000, 1_767_225_600]],
  [["192.0.2.7"]],
  [["peer.test", "https://mail.peer.test", "note"]],
];

test("a madmail 2: Maildirs with their UID lists, settings, keys; what fits is linked", async () => {
  const dir = freshDir();
  const source = join(dir, "var/lib/madmail");
  const user = "ada23456@relay.test";
  madmail2Database(join(source, "credentials.db"), [
    [user, "pass word-12"],
    ["bob23456@relay.test", "other"],
  ]);
  const maildir = join(source, "mail", user, "Maildir");
  write(join(maildir, "cur/100.a:2,S"), message("seen"));
  write(join(maildir, "new/200.b"), message("unseen"));
  write(join(maildir, "new/300.unlisted"), message("unlisted"));
  write(
    join(maildir, "chatmail-uidlist"),
    "1 V1 N9\n3 S1 T1767225600 :100.a\n7 S1 T1767225700 :200.b\n8 S1 T1 :gone\n",
  );
  write(join(source, "mail", user, "folders/DeltaChat/cur/1.x:2,S"), message("folder"));
  write(join(source, "mail/stray234@relay.test/Maildir/new/1.x"), message("stray"));
  write(
    join(dir, "etc/madmail/madmail.conf"),
    "$(primary_domain) = relay.test\nhostname relay.test\nfrobnicate yes\n",
  );
  const before = fingerprint(source);
  const stateDir = join(dir, "relay/state");
  const data = await imported(source, stateDir);
  expect(data).toMatchObject({ kind: "madmail2", accounts: 2, messages: 4, linked: 4, settings: 2 });
  expect(JSON.stringify(data["leftBehind"])).toContain("frobnicate yes");
  expect(JSON.stringify(data["leftBehind"])).toContain("stray234@relay.test");
  expect(fingerprint(source)).toEqual(before);
  expect(tablesOf(stateDir)).toEqual(sharedRows);
  expect(readFileSync(join(stateDir, "imported.toml"), "utf8")).toContain('domains = ["relay.test"]');

  const relay = await Relay.start({ name: "import-madmail2", dir: join(dir, "relay") });
  undo.push(() => relay.dispose());
  const client = await loggedIn(relay, user, "pass word-12");
  const [folder, inbox] = await lookAt(client);
  expect([folder?.name, folder?.messages.length]).toEqual(["DeltaChat", 1]);
  expect([inbox?.uidValidity, inbox?.uidNext]).toEqual([1, 10]);
  expect(
    inbox?.messages.map(({ uid, flags, internalDate, body }) => [uid, flags, internalDate, body]),
  ).toEqual([
    [3, ["\\Seen"], "2026-01-01T00:00:00.000Z", message("seen")],
    [7, [], "2026-01-01T00:01:40.000Z", message("unseen")],
    [9, [], expect.any(String), message("unlisted")],
  ]);
  expect((await client.quotaKib()).limit).toBe(Math.floor(5_000_000 / 1024));
  client.close();
});

test("a madmail 1: the message index, bodies plain, lz4 and zstd; damaged ones stay behind and are told", async () => {
  const dir = freshDir();
  const source = join(dir, "state");
  const user = "ada23456@relay.test";
  madmail1Credentials(join(source, "credentials.db"), [[user, "pass word-12"]]);
  const long = message("long", 30_000);
  const lz4 = join(dir, "long.lz4");
  write(join(dir, "long"), long);
  const packer = Bun.which("lz4");
  if (packer !== null) execFileSync(packer, ["-q", "-BD", join(dir, "long"), lz4]);
  const bodies = {
    plain: message("plain"),
    packed: packer !== null ? readFileSync(lz4) : zstdCompressSync(long),
    zstd: zstdCompressSync(message("zstd")),
    torn: zstdCompressSync(long).subarray(0, 500),
  };
  for (const [key, body] of Object.entries(bodies)) write(join(source, "messages", key), body);
  const at = (uid: number, key: string, size: number, flags: string[], mailbox = "INBOX") => ({
    mailbox,
    uid,
    key,
    flags,
    dateSec: 1_767_225_600 + uid,
    bodyLen: size,
  });
  imapsql(
    join(source, "imapsql.db"),
    user,
    [
      ["INBOX", 77, 50],
      ["Sent.Old", 78, 3],
    ],
    [
      at(4, "plain", message("plain").length, ["\\Seen", "$Label"]),
      at(9, "packed", long.length, []),
      at(11, "torn", long.length, []),
      at(12, "missing", 5, []),
      at(2, "zstd", message("zstd").length, ["\\Answered"], "Sent.Old"),
    ],
  );
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  write(
    join(source, "dkim_keys/relay.test_default.key"),
    privateKey.export({ format: "pem", type: "pkcs8" }),
  );
  const stateDir = join(dir, "relay/state");
  const data = await imported(source, stateDir);
  expect(data).toMatchObject({ kind: "madmail1", accounts: 1, messages: 3, dkim: true });
  expect((data["leftBehind"] as { why: string }[]).map(({ why }) => why).sort()).toEqual([
    "a message file that is not there",
    "damaged: shorter than the index says",
  ]);
  expect(tablesOf(stateDir)).toEqual(sharedRows);

  const relay = await Relay.start({ name: "import-madmail1", dir: join(dir, "relay") });
  undo.push(() => relay.dispose());
  const client = await loggedIn(relay, user, "pass word-12");
  const mailboxes = await lookAt(client);
  expect(mailboxes.map(({ name, uidValidity, uidNext }) => [name, uidValidity, uidNext])).toEqual([
    ["INBOX", 77, 50],
    ["Sent/Old", 78, 3],
  ]);
  expect(
    mailboxes.flatMap(({ messages }) => messages.map(({ uid, flags, body }) => [uid, flags, body])),
  ).toEqual([
    [4, ["$Label", "\\Seen"], message("plain")],
    [9, [], long],
    [2, ["\\Answered"], message("zstd")],
  ]);
  client.close();
});

test("killed with SIGKILL half-way and run again, an import is whole, and its source untouched", async () => {
  const dir = freshDir();
  const source = join(dir, "source");
  const users = Array.from({ length: 40 }, (_, i) => `user${String(i).padStart(4, "0")}@relay.test`);
  madmail2Database(
    join(source, "credentials.db"),
    users.map((user) => [user, "pass word-12"]),
  );
  for (const user of users) {
    const lines = ["1 V1 N9"];
    for (let uid = 1; uid <= 5; uid++) {
      // Bare line feeds: each has to be written anew, which leaves more to interrupt than a link.
      write(
        join(source, "mail", user, `Maildir/cur/${uid}.x:2,S`),
        message(`${user}-${uid}`, 200).replaceAll("\r\n", "\n"),
      );
      lines.push(`${uid} S1 T1767225600 :${uid}.x`);
    }
    write(join(source, "mail", user, "Maildir/chatmail-uidlist"), `${lines.join("\n")}\n`);
  }
  const before = fingerprint(source);
  const stateDir = join(dir, "relay/state");
  const journal = join(stateDir, "import.journal");
  const doneLines = () =>
    existsSync(journal) ? readFileSync(journal, "utf8").split('{"done"').length - 1 : 0;
  let kills = 0;
  for (const enough of [2, 12, 25]) {
    const child = startMadmail(["import", source, "--state-dir", stateDir, "--yes"]);
    while (doneLines() < enough && child.exitCode === null) await Bun.sleep(1);
    if (child.exitCode === null) kills++;
    child.kill("SIGKILL");
    await child.exited;
  }
  expect(kills).toBeGreaterThan(0);
  const data = await imported(source, stateDir);
  expect(Number(data["accounts"]) + Number(data["accountsBefore"])).toBe(users.length);
  expect(fingerprint(source)).toEqual(before);
  const found = users.flatMap((user) => readdirSync(join(stateDir, "mail", user, "Maildir/cur")));
  expect(found).toHaveLength(users.length * 5);
  expect(readdirSync(join(stateDir, "mail")).sort()).toEqual(users);
  const relay = await Relay.start({ name: "import-killed", dir: join(dir, "relay") });
  undo.push(() => relay.dispose());
  for (const user of [users[0] ?? "", users[13] ?? "", users[39] ?? ""]) {
    const client = await loggedIn(relay, user, "pass word-12");
    const [inbox] = await lookAt(client);
    expect(inbox?.messages.map(({ uid, body }) => [uid, body])).toEqual(
      [1, 2, 3, 4, 5].map((uid) => [uid, message(`${user}-${uid}`, 200)]),
    );
    client.close();
  }
});

test("what is no source, and a confirmation that nobody can give, are said in one line", async () => {
  const dir = freshDir();
  const rows: [string[], string][] = [
    [[join(dir, "none")], "expected a directory, found none"],
    [[dir], "expected the state of a madmail, a maddy or a chatmail relay, found none of them"],
    [
      [dir, "--from", "madmail1"],
      "expected a database (credentials.db, chatmail.db, imapsql.db), found none",
    ],
    [[dir, "--from", "chatmail"], "expected mail directories with `password` files"],
  ];
  for (const [args, why] of rows) {
    const { code, output } = await runMadmail(["import", ...args, "--state-dir", join(dir, "s"), "--yes"]);
    expect([code, output]).toEqual([1, expect.stringContaining(why)]);
    expect(output.trim().split("\n")).toHaveLength(1);
  }
  madmail2Database(join(dir, "credentials.db"), [["ada23456@relay.test", "x"]]);
  const { code, output } = await runMadmail(["import", dir, "--state-dir", join(dir, "s")]);
  expect([code, output]).toEqual([1, expect.stringContaining("say --yes to do it")]);
  expect(existsSync(join(dir, "s"))).toBe(false);
});

test("config convert prints madmail.toml, and names what it leaves out", async () => {
  const dir = freshDir();
  write(
    join(dir, "maddy.conf"),
    "$(primary_domain) = relay.test\nfrobnicate yes\nimap tls://0.0.0.0:993 { }\n",
  );
  const out = join(dir, "madmail.toml");
  const { code, output } = await runMadmail([
    "config",
    "convert",
    join(dir, "maddy.conf"),
    "-o",
    out,
    "--json",
  ]);
  expect([code, JSON.parse(output)]).toEqual([
    0,
    {
      ok: true,
      command: "config convert",
      data: {
        text: readFileSync(out, "utf8"),
        notTaken: [{ what: `${dir}/maddy.conf:2: frobnicate yes`, why: "unknown here" }],
        file: out,
      },
    },
  ]);
  expect((await runMadmail(["config", "check", out, "--state-dir", dir])).output).toBe(`${out}: ok\n`);
  expect((await runMadmail(["config", "convert", join(dir, "maddy.conf"), "-o", out])).code).toBe(1);
});
