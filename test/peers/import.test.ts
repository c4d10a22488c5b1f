/** Imports: what another server kept is here afterwards, number for number. */
import { afterEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  cpSync,
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
import { gzipSync } from "node:zlib";
import { whyNoDovecot } from "../oracle/dovecot.ts";
import { append, dovecotFilled, lookAt, message, writePassword } from "../support/dovecot-source.ts";
import { ImapClient } from "../support/imap-client.ts";
import { Relay, runMadmail } from "../support/relay.ts";

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
