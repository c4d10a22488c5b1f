/** Push notifications of the compiled relay to a stand-in for the notification service, through crash and restart. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ImapClient } from "../support/imap-client.ts";
import { NotificationServer } from "../support/notification-server.ts";
import { pgpMessage } from "../support/pgp-mail.ts";
import { Relay } from "../support/relay.ts";
import { SmtpClient } from "../support/smtp-client.ts";
import { isMissing, runTool } from "../support/tools.ts";

const PASSWORD = "correct-horse-battery";
const DEVICES = 12;
const dir = mkdtempSync(join(tmpdir(), "madmail-push-"));

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("a relay with push", () => {
  let relay: Relay;
  let server: NotificationServer;
  let alice: string;
  let bob: string;

  beforeAll(async () => {
    server = new NotificationServer();
    const endpoint = `http://127.0.0.1:${server.port}/notify`;
    relay = await Relay.start({ name: "push", config: { push: { mode: "on", endpoint } } });
    alice = relay.address("alicepush");
    bob = relay.address("bobbypush");
    await setTokens(relay, alice, ["openpgp:alice"]);
    await setTokens(relay, bob, ["openpgp:dead", "openpgp:phone", "openpgp:tablet"]);
  });

  afterAll(async () => {
    await relay?.dispose();
    await server?.stop();
  });

  test("clients are told that they can rely on it", async () => {
    const imap = await logIn(relay, bob);
    const { untagged } = await imap.ok('GETMETADATA "" (/shared/vendor/deltachat/maxsmtprecipients)');
    expect(untagged[0]?.literals[0]?.toString()).toBe("1000");
    expect((await imap.ok("CAPABILITY")).untagged[0]?.text).toContain("XDELTAPUSH");
    imap.close();
  });

  test("every device of the recipient is told, and nothing but its token", async () => {
    server.answer = (token) => (token === "openpgp:dead" ? 410 : 200);
    await send(relay, alice, [bob, alice]);
    await server.until((tokens) => tokens.length >= 3);
    expect(server.tokens.toSorted()).toEqual(["openpgp:dead", "openpgp:phone", "openpgp:tablet"]);
    const [{ headers, path } = { headers: {}, path: "" }] = server.received;
    expect(path).toBe("/notify");
    expect(Object.keys(headers).toSorted()).toEqual([
      "accept",
      "accept-encoding",
      "connection",
      "content-length",
      "content-type",
      "host",
      "user-agent",
    ]);
    expect(JSON.stringify(headers)).not.toMatch(/alice|bobby|relay\.test/);
  });

  test("a dead token is forgotten", async () => {
    expect(await tokensOf(relay, bob)).toBe("openpgp:phone openpgp:tablet");
  });

  test("a crash between 250 and the notification loses none", async () => {
    server.received.length = 0;
    server.answer = () => "never";
    const users = await Promise.all(
      Array.from({ length: DEVICES }, async (_, i) => {
        const user = relay.address(`crashpush${i}`);
        await setTokens(relay, user, [`openpgp:crash-${i}`]);
        return user;
      }),
    );
    await send(relay, alice, users);
    await server.until((tokens) => tokens.length >= 4);
    await relay.kill();
    server.received.length = 0;
    server.answer = () => 200;
    await relay.restart();
    await server.until((tokens) => new Set(tokens).size >= DEVICES);
    expect(server.tokens.toSorted()).toEqual(users.map((_, i) => `openpgp:crash-${i}`).toSorted());
    // Two before the crash, and these: the relay has read every answer.
    await relay.until((output) => output.split("event=pushSent").length - 1 === 2 + DEVICES);
  });

  test("what was taken is not told again after another crash", async () => {
    await relay.kill();
    server.received.length = 0;
    await relay.restart();
    await send(relay, alice, [bob]);
    await server.until((tokens) => tokens.length >= 2);
    expect(server.tokens.toSorted()).toEqual(["openpgp:phone", "openpgp:tablet"]);
  });

  test("a service that is away for a while is told when it is back, also across an orderly stop", async () => {
    const { port } = server;
    await server.stop();
    await send(relay, alice, [bob]);
    await relay.stop();
    await relay.restart();
    server = new NotificationServer({ port });
    // The first retry comes after eight seconds, or with the next message.
    await server.until((tokens) => tokens.length >= 2);
    expect(server.tokens.toSorted()).toEqual(["openpgp:phone", "openpgp:tablet"]);
  });

  test("nothing the relay printed names a user or a token", () => {
    expect(relay.leaks(["openpgp:"])).toEqual([]);
  });
});

test("by default nothing is announced, taken or sent", async () => {
  const server = new NotificationServer();
  const endpoint = `http://127.0.0.1:${server.port}/notify`;
  const relay = await Relay.start({ name: "push-off", config: { push: { endpoint } } });
  try {
    const user = relay.address("offpush01");
    const imap = await logIn(relay, user);
    expect((await imap.ok("CAPABILITY")).untagged[0]?.text).not.toContain("XDELTAPUSH");
    const { untagged } = await imap.ok('GETMETADATA "" (/shared/vendor/deltachat/maxsmtprecipients)');
    expect(untagged[0]?.text).toContain("NIL");
    expect((await imap.command('SETMETADATA INBOX (/private/devicetoken "openpgp:x")')).status).toBe("NO");
    imap.close();
    await send(relay, relay.address("offpush02"), [user]);
    await relay.stop();
    expect(server.tokens).toEqual([]);
  } finally {
    await relay.dispose();
    await server.stop();
  }
});

describe.skipIf(isMissing("openssl"))("over HTTPS (needs openssl)", () => {
  test("the service's certificate counts: a trusted one is told, another never", async () => {
    const tls = { cert: join(dir, "cert.pem"), key: join(dir, "key.pem") };
    const made = await runTool([
      ..."openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost".split(
        " ",
      ),
      ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", tls.key, "-out", tls.cert],
    ]);
    expect(made).toMatchObject({ code: 0 });
    const server = new NotificationServer({ tls });
    const endpoint = `https://127.0.0.1:${server.port}/notify`;
    for (const [name, env, expected] of [
      ["push-https", { NODE_EXTRA_CA_CERTS: tls.cert }, ["openpgp:secret"]],
      ["push-untrusted", {}, []],
    ] as const) {
      server.received.length = 0;
      const relay = await Relay.start({
        name,
        env,
        config: { push: { mode: "on", endpoint }, log: { level: "info" } },
      });
      try {
        const user = relay.address("tlspush01");
        await setTokens(relay, user, ["openpgp:secret"]);
        await send(relay, relay.address("tlspush02"), [user]);
        if (expected.length > 0) await server.until((tokens) => tokens.length > 0);
        else await relay.until((output) => output.includes("event=pushFailed why=unreachable"));
        expect(server.tokens).toEqual([...expected]);
      } finally {
        await relay.dispose();
      }
    }
    await server.stop();
  });
});

async function logIn(relay: Relay, user: string): Promise<ImapClient> {
  const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
  const answer = await imap.login(user, PASSWORD);
  if (answer.status !== "OK") throw new Error(`login: ${answer.status} ${answer.text}`);
  return imap;
}

async function setTokens(relay: Relay, user: string, tokens: readonly string[]): Promise<void> {
  const imap = await logIn(relay, user);
  for (const token of tokens) await imap.ok(`SETMETADATA "INBOX" (/private/devicetoken "${token}")`);
  imap.close();
}

async function tokensOf(relay: Relay, user: string): Promise<string> {
  const imap = await logIn(relay, user);
  const { untagged } = await imap.ok('GETMETADATA "INBOX" (/private/devicetoken)');
  imap.close();
  return untagged[0]?.literals[0]?.toString() ?? "";
}

async function send(relay: Relay, from: string, to: readonly string[]): Promise<void> {
  const smtp = await SmtpClient.open({ port: relay.ports.submissions, tls: true });
  const login = await smtp.auth(from, PASSWORD);
  if (login.code !== 235) throw new Error(`login: ${login.code}`);
  const messageId = `${crypto.randomUUID()}@localhost`;
  const reply = await smtp.send({ from, to }, await pgpMessage({ from, messageId, bytes: 3_000 }));
  if (reply.code !== 250) throw new Error(`sending: ${reply.code} ${reply.lines.join(" ")}`);
  await smtp.quit();
}
