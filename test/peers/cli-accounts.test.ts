/**
 * Every command on accounts and their mail, on the executable: once against a running relay, once on its state while it
 * is stopped. What `--json` answers is held against the operation's own schema.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { commands } from "../../src/cli/main.ts";
import { commandTree, flatten } from "../../src/cli/tree.ts";
import { type OperationName, operationTable } from "../../src/operations/table.ts";
import { ImapClient } from "../support/imap-client.ts";
import { pgpMessage } from "../support/pgp-mail.ts";
import { Relay, runMadmail } from "../support/relay.ts";

/** Commands of this suite, by their first word. */
const ROOTS = new Set([
  "accounts",
  "create-user",
  "delete",
  "blocklist",
  "ban-list",
  "registration",
  "registration-tokens",
  "quota",
  "notice",
  "creds",
  "hash",
  "imap-acct",
  "imap-mboxes",
  "imap-msgs",
]);

const dir = mkdtempSync(join(tmpdir(), "madmail-cli-accounts-"));
const called = new Set<string>();
const random = z.strictObject({
  username: z.string(),
  password: z.string().length(24),
  email: z.string(),
  dclogin: z.string().startsWith("dclogin:"),
});
afterAll(() => rmSync(dir, { recursive: true }));

describe.each(["running", "stopped"] as const)("on a %s relay", (mode) => {
  let relay: Relay;
  let global: string[];

  beforeAll(async () => {
    relay = await Relay.start({ name: `cli-accounts-${mode}` });
    global = ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir];
    if (mode === "stopped") await relay.stop();
  });
  afterAll(async () => {
    expect(relay.leaks()).toEqual([]);
    await relay.dispose();
  });

  /** What a command answers with --json, against the schema of an operation or another one. */
  async function data<T = unknown>(line: string | string[], schema: OperationName | z.ZodType): Promise<T> {
    const words = typeof line === "string" ? line.split(" ") : line;
    const { code, output } = await runMadmail([...global, "--json", ...words]);
    const answer = JSON.parse(output) as { ok: boolean; command: string; data: unknown };
    expect([code, answer.ok, words.join(" ").replace(/ +$/, "")]).toEqual([
      0,
      true,
      expect.stringContaining(
        answer.command.split(" ")[0] === "registration-tokens" ? "tokens" : answer.command,
      ),
    ]);
    called.add(answer.command);
    const type = typeof schema === "string" ? operationTable[schema].output : schema;
    expect(type.safeParse(answer.data)).toMatchObject({ success: true });
    return answer.data as T;
  }

  async function fault(line: string): Promise<string> {
    const { code, output } = await runMadmail([...global, "--json", ...line.split(" ")]);
    const answer = JSON.parse(output) as { ok: boolean; error: string };
    expect([code, answer.ok]).toEqual([1, false]);
    return answer.error;
  }

  test("accounts are made, looked at, changed and taken away", async () => {
    const made = await data<{ address: string; password: string }>(
      "accounts create ada@relay.test",
      "accounts.create",
    );
    expect(made.password).toHaveLength(24);
    await data("accounts create bob -p bob-has-this-one", "accounts.create");
    await data("accounts create-random", random);
    await data("create-user", random);
    const { output } = await runMadmail([...global, "create-user", "--json-only"]);
    expect(JSON.parse(output)).toEqual({
      dclogin: expect.stringMatching(/^dclogin:[a-z0-9]{12}@relay\.test\/\?p=/),
    });
    expect(await data("accounts list", "accounts.list")).toMatchObject({ total: 5 });
    expect(await data("accounts list bob --sort used --descending --limit 1", "accounts.list")).toMatchObject(
      {
        matching: 1,
        accounts: [{ user: "bob@relay.test" }],
      },
    );
    expect(await data("accounts status", "accounts.status")).toMatchObject({ accounts: 5, unused: 5 });
    await data("accounts info bob", "accounts.info");
    await data("accounts password bob", "accounts.setPassword");
    expect(await fault("accounts create bob")).toContain("exists already");
    expect(await fault("accounts info nobody")).toContain("there is no such account");
    expect(await fault("accounts delete bob")).toBe(
      "this would take away bob@relay.test, delete its 0 messages (0 B) and block the name; say --yes to do it",
    );
    await data("accounts delete bob -y --reason left", "accounts.delete");
    await data("accounts ban eve rude -y", "accounts.ban");
    await data("accounts unban eve", "accounts.unban");
    await data("creds create carol -p carol-has-this-one", "accounts.create");
    await data("creds password carol -p another-one-for-her", "accounts.setPassword");
    const users = z.strictObject({ total: z.int(), users: z.array(z.string()) });
    expect(await data("creds list", users)).toMatchObject({ total: 5 });
    await data("creds remove carol -y", "accounts.delete");
    await data("accounts create dora", "accounts.create");
    await data("delete dora -y", "accounts.delete");
    expect(await data("accounts prune 30d", "accounts.prune")).toEqual({ accounts: 0 });
  });

  test("the blocklist", async () => {
    await data("blocklist add mallory spam", "blocklist.add");
    expect(await data("blocklist list", "blocklist.list")).toMatchObject({ total: 4 });
    expect(await data("ban-list", "blocklist.list")).toMatchObject({ blocked: expect.any(Array) });
    await data("blocklist remove mallory", "blocklist.remove");
    expect(await fault("blocklist clear")).toStartWith("this would let 3 blocked names in again");
    expect(await data("blocklist clear -y", "blocklist.clear")).toEqual({ removed: 3 });
  });

  test("registration and its tokens", async () => {
    const set = "registration.set";
    expect(await data("registration close", set)).toMatchObject({ open: false });
    expect(await data("registration open", set)).toMatchObject({ open: true });
    expect(await data("registration tokens enable", set)).toMatchObject({ tokenRequired: true });
    await data("registration tokens status", set);
    expect(await data("registration tokens disable", set)).toMatchObject({ tokenRequired: false });
    expect(await data("registration jit disable", set)).toMatchObject({ jit: false });
    await data("registration jit status", set);
    await data("registration jit enable", set);
    expect(await data("registration status", "registration.get")).toMatchObject({ open: true, jit: true });
    for (const word of [
      "registration close",
      "registration open",
      "registration status",
      "jit disable",
      "jit enable",
      "jit status",
    ]) {
      await data(`creds ${word}`, set);
    }
    for (const state of ["off", "on"]) await data(`creds turn ${state}`, "services.set");
    for (const state of ["off", "on"]) await data(`creds logging ${state}`, "settings.set");
    expect(await data("creds logging status", z.looseObject({ value: z.string() }))).toMatchObject({
      value: "false",
    });
    expect(await data("creds turn status", z.looseObject({ enabled: z.boolean() }))).toMatchObject({
      enabled: true,
    });
    await data("tokens create --token club --max-uses 3 --comment friends --expires 7d", "tokens.create");
    expect(await data("reg-tokens status club", "tokens.status")).toMatchObject({
      maxUses: 3,
      status: "active",
    });
    expect(await data("registration-tokens list", "tokens.list")).toMatchObject({ total: 1 });
    await data("tokens delete club", "tokens.remove");
    expect(await fault("tokens status club")).toBe("there is no such token");
    expect(await fault("tokens create --max-uses 0")).toContain("--max-uses");
  });

  test("quotas", async () => {
    expect(await data("quota set ada 2G", "quota.set")).toMatchObject({
      quotaBytes: 2 ** 31,
      source: "user",
    });
    expect(await data("quota get ada", "quota.get")).toMatchObject({ quotaBytes: 2 ** 31 });
    expect(await data("quota domain set relay.test unlimited", "quota.setDomain")).toMatchObject({
      quotaBytes: 0,
    });
    expect(await data("quota reset ada", "quota.reset")).toMatchObject({ quotaBytes: 0, source: "domain" });
    await data("quota domain get relay.test", "quota.domain");
    await data("quota domain reset relay.test", "quota.resetDomain");
    expect(await data("quota default set 100M", "quota.setDefault")).toEqual({ defaultBytes: 100 * 2 ** 20 });
    await data("quota default get", "quota.setDefault");
    await data("quota default reset", "quota.resetDefault");
    await data("quota status", "quota.summary");
    await data("quota list", "accounts.list");
    await data("imap-acct quota set ada 1G", "quota.set");
    await data("imap-acct quota get ada", "quota.get");
    await data("imap-acct quota reset ada", "quota.reset");
    await data("imap-acct quota list", "accounts.list");
    await data("imap-acct quota set-default 500M", "quota.setDefault");
    expect(await fault("quota set ada much")).toBe(
      "expected a size such as 500M, 2G or unlimited, found much",
    );
    expect(await fault("quota set nobody 1G")).toContain("there is no such account");
  });

  test("mailboxes and messages", async () => {
    expect(await data("imap-acct create ada", "mailboxes.provision")).toMatchObject({
      user: "ada@relay.test",
    });
    await data("imap-mboxes create ada Work/2026", "mailboxes.create");
    await data("imap-mboxes rename ada Work/2026 Old", "mailboxes.rename");
    await data("imap-mboxes list ada", "mailboxes.list");
    const mail = join(dir, `${mode}.eml`);
    writeFileSync(mail, await pgpMessage({ from: "x@peer.test", messageId: "m@peer.test", bytes: 3000 }));
    const clear = join(dir, `${mode}-clear.eml`);
    writeFileSync(clear, "From: x@peer.test\r\n\r\nHello\r\n");
    for (let n = 0; n < 3; n++) await data(`imap-msgs add ada INBOX ${mail} --flag $Label`, "messages.add");
    expect(await fault(`imap-msgs add ada INBOX ${clear}`)).toContain("523 5.7.1 Encryption Needed");
    expect(await data("imap-msgs add-flags ada INBOX 1:2 \\Seen", "messages.flags")).toEqual({ messages: 2 });
    await data("imap-msgs rem-flags ada INBOX 2 \\Seen", "messages.flags");
    await data("imap-msgs set-flags ada INBOX 3 \\Flagged,other", "messages.flags");
    const listed = await data<{ messages: { flags: string[] }[] }>(
      "imap-msgs list ada INBOX",
      "messages.list",
    );
    expect(listed.messages.map(({ flags }) => flags)).toEqual([
      ["\\Seen", "$Label"],
      ["$Label"],
      ["\\Flagged", "other"],
    ]);
    expect(await data("imap-msgs copy ada INBOX 1,2 Old", "messages.copy")).toEqual({ messages: 2 });
    expect(await data("imap-msgs move ada INBOX 3 Old", "messages.move")).toEqual({ messages: 1 });
    const dumped = await data<{ content: string }>("imap-msgs dump ada Old 1", "messages.dump");
    expect(Buffer.from(dumped.content, "base64")).toEqual(readFileSync(mail));
    expect((await runMadmail([...global, "imap-msgs", "dump", "ada", "Old", "1"])).output).toBe(
      readFileSync(mail, "latin1"),
    );
    expect(await fault("imap-msgs remove ada Old 1:*")).toStartWith("this would delete 3 messages for good");
    expect(await data("imap-msgs remove ada Old 3 -y", "messages.remove")).toMatchObject({ messages: 1 });
    expect(await data("imap-acct stat ada", "mailboxes.list")).toMatchObject({ user: "ada@relay.test" });
    expect(await data("imap-acct list", "mailboxes.accounts")).toMatchObject({
      accounts: [{ messages: 4, hasLogin: true }],
    });
    await data("imap-acct appendlimit", z.strictObject({ messageMaxBytes: z.int() }));
    expect(await fault("imap-acct purge-all")).toMatch(/^this would delete 4 messages \(\d/);
    expect(await data("imap-acct purge-read -y", "mail.purge")).toMatchObject({ messages: 2 });
    expect(await data("imap-acct prune-unread 1h -y", "mail.purge")).toEqual({ messages: 0, bytes: 0 });
    expect(await fault("imap-mboxes remove ada Old")).toContain("with 1 message;");
    await data("imap-mboxes remove ada Old -y", "mailboxes.remove");
    expect(await data("imap-acct purge-msgs ada -y", "mail.purge")).toMatchObject({ messages: 1 });
    expect(await data("imap-acct purge-all -y", "mail.purge")).toMatchObject({ messages: 0 });
    expect(await data("imap-acct remove ada -y", "mailboxes.removeAll")).toMatchObject({
      user: "ada@relay.test",
    });
    expect(await fault("imap-acct stat ada")).toContain("has no mailboxes");
    await data("imap-acct prune-unused 30d -y", "accounts.prune");
  });

  test("notices", async () => {
    const { totalUsers } = await data<{ totalUsers: number }>("notice status", "notices.audience");
    expect(await fault("notice send -s Hi -b there")).toBe(
      `this would write to all ${totalUsers} accounts; say --yes to do it`,
    );
    expect(await data("notice send -s Hi -b there -y", "notices.send")).toEqual({
      sent: totalUsers,
      failed: 0,
      errors: [],
    });
    expect(await data("notice send ada -s Hi -b there", "notices.send")).toMatchObject({ sent: 1 });
    expect(await fault("notice send nobody -s Hi -b there")).toContain(
      "nobody@relay.test: there is no such account",
    );
    const { output } = await runMadmail([...global, "notice", "send", "ada", "-s", "a\nb", "-b", "x"]);
    expect(output).toContain("a subject is one line");
  });

  test("export, import, and away with everybody", async () => {
    const file = join(dir, `${mode}.json`);
    const written = z.strictObject({ file: z.string(), total: z.int() });
    const { total } = await data<{ total: number }>(`accounts export -o ${file}`, written);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const users = JSON.parse(readFileSync(file, "utf8")) as unknown[];
    expect(users).toHaveLength(total);
    expect(users[0]).toEqual({ username: "ada@relay.test", hash: expect.stringMatching(/^\$argon2id\$/) });
    const { hash } = await data<{ hash: string }>(
      "hash -p a-new-password",
      z.strictObject({ hash: z.string() }),
    );
    writeFileSync(file, JSON.stringify([...users, { username: "zoe", hash }, { username: "", hash }]));
    expect(await data(`accounts import ${file}`, "accounts.import")).toMatchObject({
      imported: 1,
      skipped: total + 1,
    });
    writeFileSync(file, "[1]");
    expect(await fault(`accounts import ${file}`)).toContain("entry 1 is no account");
    expect(await fault("accounts delete-all")).toContain(`take away all ${total + 1} accounts`);
    expect(await data("accounts delete-all -y", "accounts.deleteAll")).toEqual({ deleted: total + 1 });
    expect(await data("accounts status", "accounts.status")).toMatchObject({
      accounts: 0,
      mailDirectories: 0,
    });
  });
});

describe("people on a running relay see at once what an operator does", () => {
  let relay: Relay;
  let global: string[];
  beforeAll(async () => {
    relay = await Relay.start({ name: "cli-accounts-live" });
    global = ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir];
  });
  afterAll(() => relay.dispose());

  async function session(name: string): Promise<ImapClient> {
    const client = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    expect((await client.login(relay.address(name), "a password for all")).status).toBe("OK");
    return client;
  }
  const madmail = async (...words: string[]) =>
    expect((await runMadmail([...global, ...words])).code).toBe(0);

  test("a quota, a notice, mail thrown away", async () => {
    const client = await session("quota-user");
    await madmail("quota", "set", "quota-user", "3M");
    expect(await client.quotaKib()).toEqual({ used: 0, limit: 3072 });
    await client.select();
    const idle = await client.idle();
    await madmail("notice", "send", "quota-user", "-s", "Hello", "-b", "World");
    expect((await client.next()).text).toBe("* 1 EXISTS");
    await client.done(idle);
    expect((await client.fetch("1"))[0]?.body?.toString()).toContain("Subject: Hello\r\n");
    await madmail("imap-acct", "purge-msgs", "quota-user", "-y");
    const { untagged } = await client.ok("NOOP");
    expect(untagged.map(({ text }) => text)).toContain("* 1 EXPUNGE");
    client.close();
  });

  const rows: [state: string, line: string, why: string][] = [
    ["banned", "accounts ban banned-user -y", "Account removed"],
    ["deleted", "accounts delete deleted-user -y", "Account removed"],
    ["blocked", "blocklist add blocked-user", "Account disabled"],
    ["renewed", "accounts password renewed-user", "Log in again"],
  ];

  // Side by side: each waits for the answer to a failed login, which comes late.
  test("who is banned, deleted, blocked or has another password is out", async () => {
    const outcomes = rows.map(async ([state, line]) => {
      const client = await session(`${state}-user`);
      await madmail(...line.split(" "));
      const { text } = await client.next();
      const again = await ImapClient.open({ port: relay.ports.imaps, tls: true });
      const { status } = await again.login(`${state}-user@${relay.domain}`, "a password for all");
      again.close();
      return [state, text, status];
    });
    expect(await Promise.all(outcomes)).toEqual(rows.map(([state, , why]) => [state, `* BYE ${why}`, "NO"]));
  });

  test("nothing of it names anybody in the log", () => {
    expect(relay.leaks()).toEqual([]);
  });
});

test("every command of these was exercised", async () => {
  const nowhere = { config: undefined, stateDir: undefined, json: false };
  const leaves = flatten(await commandTree(commands(nowhere)))
    .filter(({ words, children }) => children.length === 0 && ROOTS.has(words.split(" ")[0] ?? ""))
    .map(({ words }) => words);
  expect(leaves.filter((words) => !called.has(words))).toEqual([]);
});
