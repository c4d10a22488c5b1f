/**
 * Mail in the browser on the executable: every endpoint of WebIMAP and WebSMTP, every action of the WebSocket, beside
 * IMAP on the same mailboxes. One relay; the parts run in order.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ImapClient } from "../support/imap-client.ts";
import { pgpMessage } from "../support/pgp-mail.ts";
import { Relay } from "../support/relay.ts";
import { TestSocket } from "../support/web-socket.ts";

const ORIGIN = "https://app.example";
const MESSAGE_MAX_BYTES = 200_000;
const clear = "From: <x>\r\nSubject: hello\r\n\r\nhello\r\n";

interface Account {
  email: string;
  password: string;
}

let relay: Relay;
let alice: Account;
let bob: Account;
let adminToken = "";

beforeAll(async () => {
  relay = await Relay.start({
    name: "webmail",
    config: {
      limits: { message_size: MESSAGE_MAX_BYTES, failed_logins_per_minute: 1000 },
      webmail: { cors_origins: [ORIGIN] },
    },
  });
  adminToken = readFileSync(join(relay.stateDir, "admin_token"), "utf8").trim();
  alice = await newAccount();
  bob = await newAccount();
});
afterAll(() => relay.dispose());

const url = (path: string, scheme = "http") => `${scheme}://127.0.0.1:${relay.ports.http}${path}`;

async function newAccount(): Promise<Account> {
  const response = await fetch(url("/new"), { method: "POST", headers: { Origin: ORIGIN } });
  expect(response.headers.get("access-control-allow-origin")).toBe(ORIGIN);
  const { email, password } = (await response.json()) as Account;
  relay.address(email.split("@")[0] ?? "");
  return { email, password };
}

async function admin(method: string, resource: string, body: unknown): Promise<void> {
  const response = await fetch(url("/api/admin"), {
    method: "POST",
    body: JSON.stringify({ method, resource, headers: { Authorization: `Bearer ${adminToken}` }, body }),
  });
  const { status, error } = (await response.json()) as { status: number; error: string | null };
  expect([status, error]).toEqual([200, null]);
}

interface Answer {
  status: number;
  body: unknown;
  headers: Headers;
}

async function ask(who: Account | undefined, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(url(path), {
    method,
    headers: who === undefined ? {} : { "X-Email": who.email, "X-Password": who.password },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

const socketUrl = ({ email, password }: Account, more = "") =>
  url(`/webimap/ws?email=${encodeURIComponent(email)}&password=${encodeURIComponent(password)}${more}`, "ws");

let sent = 0;
async function mailTo(from: Account, to: Account, bytes = 3000): Promise<string> {
  const message = await pgpMessage({
    from: from.email,
    to: to.email,
    messageId: `web${++sent}@relay.test`,
    bytes,
  });
  return message.toString("latin1");
}

async function send(from: Account, to: Account, path = "/websmtp/send"): Promise<Answer> {
  return await ask(from, "POST", path, { from: from.email, to: [to.email], body: await mailTo(from, to) });
}

interface Summary {
  uid: number;
  seq_num: number;
  flags: string[];
  envelope: { subject: string; message_id: string };
}
const summary = {
  uid: expect.any(Number) as number,
  seq_num: expect.any(Number) as number,
  flags: expect.any(Array) as string[],
  size: expect.any(Number) as number,
  date: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
};

const endpoints = [
  ["GET", "/webimap/mailboxes"],
  ["GET", "/webimap/messages"],
  ["GET", "/webimap/message/1"],
  ["DELETE", "/webimap/message/1"],
  ["DELETE", "/webimap/messages/INBOX/1"],
  ["POST", "/webimap/message/flags"],
  ["POST", "/webimap/send"],
  ["POST", "/websmtp/send"],
  ["OPTIONS", "/webimap/messages"],
  ["GET", "/webimap/ws"],
] as const;

describe("while it is off", () => {
  for (const [method, path] of endpoints) {
    test(`${method} ${path} is not found`, async () => {
      const { status, body } = await ask(alice, method, path);
      expect([status, body]).toEqual([404, { error: "not found" }]);
    });
  }

  test("each half is turned on by itself, at once", async () => {
    await admin("POST", "/admin/services/webimap", { action: "enable" });
    expect((await ask(alice, "GET", "/webimap/mailboxes")).status).toBe(200);
    expect((await ask(alice, "POST", "/websmtp/send", {})).status).toBe(404);
    const socket = await TestSocket.open(socketUrl(alice));
    expect(await socket.failure("send", { to: [bob.email], body: clear })).toContain("send is not enabled");
    socket.close();
    await admin("POST", "/admin/services/websmtp", { action: "enable" });
    expect((await ask(alice, "POST", "/websmtp/send", {})).status).toBe(400);
  });
});

describe("logins", () => {
  const nobody = { email: "nobody-here@relay.test", password: "a long and right password" };

  test("need both header fields, an account that exists, and its password", async () => {
    expect((await ask(undefined, "GET", "/webimap/mailboxes")).body).toEqual({
      error: "missing X-Email header",
    });
    const response = await fetch(url("/webimap/mailboxes"), { headers: { "X-Email": alice.email } });
    expect([response.status, await response.json()]).toEqual([401, { error: "missing X-Password header" }]);
    for (const who of [nobody, { ...alice, password: "wrong password" }]) {
      const { status, body } = await ask(who, "GET", "/webimap/mailboxes");
      expect([status, body]).toEqual([401, { error: "invalid credentials" }]);
      expect(await TestSocket.isRefused(socketUrl(who))).toBe(true);
    }
  });

  test("make no account", async () => {
    expect((await ask(nobody, "GET", "/webimap/mailboxes")).status).toBe(401);
    const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    // Whoever comes first by IMAP has the name.
    expect((await imap.login(nobody.email, "another long password")).status).toBe("OK");
    imap.close();
    expect((await ask(nobody, "GET", "/webimap/mailboxes")).status).toBe(401);
  });
});

describe("reading and sending by requests", () => {
  test("an encrypted message arrives, is listed, read, flagged and deleted", async () => {
    expect((await send(alice, bob)).body).toEqual({ status: "sent" });
    expect((await send(alice, bob, "/webimap/send")).body).toEqual({ status: "sent" });
    expect((await ask(bob, "GET", "/webimap/mailboxes")).body).toEqual([
      { name: "INBOX", messages: 2, unseen: 2 },
    ]);
    const { body } = await ask(bob, "GET", "/webimap/messages");
    const [mailbox = "", host = ""] = alice.email.split("@");
    const [first, second] = (body as Summary[]).map((each) => ({ ...each })) as [Summary, Summary];
    expect(body).toMatchObject([
      { ...summary, seq_num: 1, flags: [], envelope: { subject: "[...]", from: [{ mailbox, host }] } },
      { ...summary, seq_num: 2, envelope: { message_id: `<web${sent}@relay.test>` } },
    ]);
    const since = await ask(bob, "GET", `/webimap/messages?since_uid=${first.uid}&mailbox=INBOX`);
    expect((since.body as Summary[]).map(({ uid }) => uid)).toEqual([second.uid]);

    const text = (await ask(bob, "GET", `/webimap/message/${first.uid}`)).body as { body: string };
    const coded = (await ask(bob, "GET", `/webimap/message/${first.uid}?encoding=base64`)).body;
    expect({ ...text }).toMatchObject({ ...summary, uid: first.uid });
    expect(text.body).toContain("-----BEGIN PGP MESSAGE-----\r\n");
    expect(coded).toMatchObject({ encoding: "base64", body: Buffer.from(text.body).toString("base64") });

    const flags = { uid: first.uid, flags: ["\\Seen", "$Label"], op: "add" };
    expect((await ask(bob, "POST", "/webimap/message/flags", flags)).body).toEqual({ status: "ok" });
    const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    await imap.login(bob.email, bob.password);
    await imap.select();
    expect((await imap.fetch("1", "HEADER"))[0]?.flags).toEqual(["\\Seen", "$Label"]);
    imap.close();

    for (const path of [`/webimap/message/${first.uid}`, `/webimap/messages/INBOX/${second.uid}`]) {
      expect((await ask(bob, "DELETE", path)).body).toEqual({ status: "deleted" });
      expect((await ask(bob, "DELETE", path)).status).toBe(404);
    }
    expect((await ask(bob, "GET", "/webimap/messages")).body).toEqual([]);
  });

  test("a long poll answers when mail comes", async () => {
    const waiting = ask(bob, "GET", "/webimap/messages?since_uid=2&wait=60");
    await send(alice, bob);
    expect((await waiting).body).toMatchObject([{ ...summary, uid: 3 }]);
  });

  test("what is refused says why", async () => {
    const path = "/websmtp/send";
    const rows: [body: unknown, status: number, error: string | RegExp][] = [
      [
        { to: [bob.email], body: clear.replace("<x>", alice.email) },
        400,
        /^Encryption Needed: only PGP-encrypted messages and SecureJoin handshakes are accepted: /,
      ],
      [{ to: [], body: clear }, 400, "missing recipients"],
      [{ to: ["nonsense"], body: clear }, 400, "501 5.1.3 Bad recipient address syntax"],
      [{ from: bob.email, to: [bob.email], body: clear }, 403, "Unauthorized use of sender address"],
      [{ to: [bob.email], body: await mailTo(bob, alice) }, 403, "Unauthorized use of sender address"],
      [{ to: [bob.email], body: "x".repeat(MESSAGE_MAX_BYTES + 1) }, 413, "552 5.3.4 message file too big"],
      [{ to: [bob.email], body: "x".repeat(1_000_000) }, 413, "552 5.3.4 message file too big"],
      ["{", 400, "invalid JSON"],
      [{ to: [bob.email] }, 400, /^invalid request: body: /],
      [{ to: [bob.email], body: "no!", encoding: "base64" }, 400, /base64/],
    ];
    for (const [body, status, error] of rows) {
      const answer = await ask(alice, "POST", path, body);
      const said = (answer.body as { error: string }).error;
      expect([answer.status, said]).toEqual([status, typeof error === "string" ? error : said]);
      if (error instanceof RegExp) expect(said).toMatch(error);
    }
  });

  test("bad requests are 400, wrong methods 405", async () => {
    for (const path of [
      "/webimap/messages?mailbox=Nowhere",
      "/webimap/messages?since_uid=x",
      "/webimap/messages?wait=-1",
      "/webimap/message/1?encoding=hex",
    ]) {
      expect((await ask(bob, "GET", path)).status).toBe(400);
    }
    const bad = { uid: 3, flags: ["\\Seen"], op: "toggle" };
    expect((await ask(bob, "POST", "/webimap/message/flags", bad)).status).toBe(400);
    expect((await ask(bob, "GET", "/webimap/message/99")).body).toEqual({ error: "message not found" });
    const wrong = await ask(bob, "PUT", "/webimap/message/3");
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, DELETE, OPTIONS"]);
    const long = await ask(bob, "POST", "/webimap/message/flags", "x".repeat(70_000));
    expect([long.status, long.body]).toEqual([413, { error: "request body too large" }]);
  });
});

describe("pages of other origins", () => {
  const preflight = (path: string, origin: string) =>
    fetch(url(path), {
      method: "OPTIONS",
      headers: { Origin: origin, "Access-Control-Request-Method": "POST" },
    });

  for (const path of ["/webimap/messages", "/websmtp/send", "/new"]) {
    test(`may use ${path} when they are on the list`, async () => {
      const allowed = await preflight(path, ORIGIN);
      expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([204, ORIGIN]);
      expect(allowed.headers.get("vary")).toContain("Origin");
      const refused = await preflight(path, "https://evil.example");
      expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([403, null]);
    });
  }

  test("are told apart at the WebSocket", async () => {
    const socket = await TestSocket.open(socketUrl(bob), { Origin: ORIGIN });
    socket.close();
    expect(await TestSocket.isRefused(socketUrl(bob), { Origin: "https://evil.example" })).toBe(true);
    const response = await fetch(url("/webimap/ws"), { headers: { Origin: "https://evil.example" } });
    expect([response.status, await response.json()]).toEqual([403, { error: "origin not allowed" }]);
  });
});

describe("the WebSocket", () => {
  let socket: TestSocket;
  beforeAll(async () => {
    socket = await TestSocket.open(socketUrl(bob, "&since_uid=3"));
  });
  afterAll(() => socket.close());

  test("a message sent by WebSMTP is pushed there and to IDLE on the same path", async () => {
    const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    await imap.login(bob.email, bob.password);
    const { exists } = await imap.select();
    const tag = await imap.idle();
    expect((await send(alice, bob)).status).toBe(200);
    expect((await imap.next()).text).toBe(`* ${exists + 1} EXISTS`);
    expect(await socket.pushed()).toMatchObject({
      data: { ...summary, uid: 4, seq_num: exists + 1, envelope: { message_id: `<web${sent}@relay.test>` } },
    });
    await imap.done(tag);
    imap.close();
  });

  test("lists, fetches, flags, searches and deletes", async () => {
    expect(await socket.run("list_mailboxes")).toEqual([{ name: "INBOX", messages: 2, unseen: 2 }]);
    expect(await socket.run("list_messages", { since_uid: 3 })).toMatchObject([{ ...summary, uid: 4 }]);
    expect(await socket.run("fetch", { uid: 4 })).toMatchObject({
      ...summary,
      body: expect.stringContaining("-----BEGIN PGP MESSAGE-----"),
    });
    expect(await socket.run("flags", { uid: 4, flags: ["\\Seen"], op: "set" })).toEqual({ status: "ok" });
    expect(await socket.run("list_mailboxes")).toEqual([{ name: "INBOX", messages: 2, unseen: 1 }]);
    const hits = (await socket.run("search", { query: alice.email.toUpperCase() })) as Summary[];
    expect(hits.map(({ uid, flags }) => [uid, flags])).toEqual([
      [3, []],
      [4, ["\\Seen"]],
    ]);
    expect(await socket.run("search", { query: "nothing like it" })).toEqual([]);
    expect(await socket.run("delete", { uid: 3 })).toEqual({ status: "deleted" });
    expect(await socket.failure("fetch", { uid: 3 })).toContain("message not found");
  });

  test("a folder makes its round", async () => {
    const steps: [action: string, data: unknown, status: string][] = [
      ["create_mailbox", { name: "Projects" }, "created"],
      ["rename_mailbox", { old_name: "Projects", new_name: "Work" }, "renamed"],
      ["copy", { uid: 4, dest_mailbox: "Work" }, "copied"],
      ["move", { mailbox: "Work", uid: 1, dest_mailbox: "INBOX" }, "moved"],
      ["delete_mailbox", { name: "Work" }, "deleted"],
    ];
    for (const [action, data, status] of steps) expect(await socket.run(action, data)).toEqual({ status });
    expect(await socket.run("list_mailboxes")).toEqual([{ name: "INBOX", messages: 2, unseen: 0 }]);
    expect(await socket.pushed()).toMatchObject({ data: { uid: 5, flags: ["\\Seen"] } });
    for (const action of ["create_mailbox", "delete_mailbox"]) {
      expect(await socket.failure(action, { name: "inbox" })).toContain("INBOX");
    }
    expect(await socket.failure("list_messages", { mailbox: "Work" })).toContain("no such mailbox");
  });

  test("sends", async () => {
    expect(await socket.run("send", { to: [alice.email], body: await mailTo(bob, alice) })).toEqual({
      status: "sent",
    });
    expect(
      await socket.failure("send", { to: [alice.email], body: clear.replace("<x>", bob.email) }),
    ).toStartWith("Encryption Needed");
  });

  test("answers what it does not know, and pings of pages", async () => {
    expect(await socket.failure("dance")).toContain("unknown action: dance");
    socket.sendRaw("{");
    expect(await socket.next(({ action }) => action === "error")).toEqual({
      action: "error",
      data: "invalid JSON",
    });
    socket.sendRaw('{"type":"ping"}');
    expect(await socket.next(({ action }) => action === "pong")).toEqual({ action: "pong", data: {} });
  });

  test("takes the login as its first message, by TLS too", async () => {
    const late = await TestSocket.open(`wss://127.0.0.1:${relay.ports.https}/webimap/ws`);
    expect(await late.run("auth", { ...bob, since_uid: 5 })).toEqual({ status: "ok" });
    expect(await late.run("list_mailboxes")).toEqual([{ name: "INBOX", messages: 2, unseen: 0 }]);
    late.close();
    for (const [action, data, said] of [
      ["list_mailboxes", {}, "log in first"],
      ["auth", { ...bob, password: "wrong password" }, "invalid credentials"],
    ] as const) {
      const stranger = await TestSocket.open(url("/webimap/ws", "ws"));
      expect(await stranger.failure(action, data)).toContain(said);
      expect((await stranger.closed).code).toBe(1008);
    }
  });
});

describe("the end", () => {
  test("a blocked account's WebSockets and long polls end, and it can't come back", async () => {
    const socket = await TestSocket.open(socketUrl(bob));
    const waiting = ask(bob, "GET", "/webimap/messages?since_uid=1000&wait=60");
    const other = await TestSocket.open(socketUrl(alice));
    // The poll is on its way through the same server, in order.
    await ask(bob, "GET", "/webimap/mailboxes");
    await admin("POST", "/admin/blocklist", { username: bob.email });
    expect(await socket.closed).toEqual({ code: 1008, reason: "log in again" });
    expect((await waiting).status).toBe(401);
    expect((await ask(bob, "GET", "/webimap/mailboxes")).status).toBe(401);
    expect(await other.run("list_mailboxes")).toMatchObject([{ name: "INBOX" }]);
    await admin("POST", "/admin/services/webimap", { action: "disable" });
    expect((await other.closed).code).toBe(1001);
    expect((await ask(alice, "GET", "/webimap/mailboxes")).status).toBe(404);
  });

  test("a stop says goodbye, within its time", async () => {
    await admin("POST", "/admin/services/webimap", { action: "enable" });
    const socket = await TestSocket.open(socketUrl(alice));
    const [{ code }, { ms }] = await Promise.all([socket.closed, relay.stop()]);
    expect(code).toBe(1001);
    expect(ms).toBeLessThan(5000);
  });

  test("nothing was printed that names a user or a password", () => {
    expect(relay.leaks([alice.password, bob.password])).toEqual([]);
  });
});
