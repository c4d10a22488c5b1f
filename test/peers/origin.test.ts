/** The origin check, the keys and the zone on the compiled relay, with a name server of its own. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { signed, testKey } from "../support/dkim.ts";
import { DnsServer } from "../support/dns-server.ts";
import { ImapClient } from "../support/imap-client.ts";
import { pgpMessage } from "../support/pgp-mail.ts";
import { Relay, runMadmail } from "../support/relay.ts";
import { type Reply, SmtpClient } from "../support/smtp-client.ts";

const PASSWORD = "correct-horse-battery";
const rsa = testKey("rsa", "default");
const stranger = testKey("rsa", "default");
const KEY_NAME = "default._domainkey.peer.test";
/** As published by hand: two strings, white space inside. */
const published = [rsa.record.slice(0, 200), ` ${rsa.record.slice(200)} ; s=email`];
let dns: DnsServer;
let relay: Relay;
let alice: string;
let count = 0;

beforeAll(async () => {
  dns = await DnsServer.start({ [KEY_NAME]: [{ type: "TXT", data: published }] });
  dns.faults.set("default._domainkey.broken.test", "serverFailure");
  relay = await Relay.start({ name: "origin", config: { dns: { servers: [dns.endpoint] } } });
  alice = relay.address("aliceorigin");
  (await logIn()).close();
});

afterAll(async () => {
  await relay?.dispose();
  dns?.stop();
});

interface Mail {
  messageId: string;
  text: string;
}

async function mail(from: string, bytes?: number): Promise<Mail> {
  const messageId = `origin-${++count}@peer.test`;
  const made = await pgpMessage({ from, to: alice, messageId, ...(bytes === undefined ? {} : { bytes }) });
  return { messageId, text: made.toString("latin1") };
}

async function bounce(from: string): Promise<Mail> {
  const messageId = `origin-${++count}@peer.test`;
  const header =
    `From: Mail Delivery System <${from}>\r\nTo: <${alice}>\r\nSubject: Undelivered\r\nMessage-ID: <${messageId}>\r\n` +
    'Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="r"\r\n';
  return await Promise.resolve({
    messageId,
    text: `${header}\r\n--r\r\nContent-Type: text/plain\r\n\r\ngone\r\n--r--\r\n`,
  });
}

async function bySmtp(text: string, from: string): Promise<Reply> {
  const smtp = await SmtpClient.open({ port: relay.ports.smtp, startTls: true });
  const reply = await smtp.send({ from, to: [alice] }, Buffer.from(text, "latin1"));
  await smtp.quit();
  return reply;
}

async function byHttp(text: string, from: string): Promise<{ code: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${relay.ports.http}/mxdeliv`, {
    method: "POST",
    headers: { ...(from === "" ? {} : { "X-Mail-From": from }), "X-Mail-To": alice },
    body: Buffer.from(text, "latin1"),
  });
  return { code: response.status, body: await response.text() };
}

async function logIn(): Promise<ImapClient> {
  const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
  await imap.login(alice, PASSWORD);
  return imap;
}

async function stored(messageId: string): Promise<string | undefined> {
  const imap = await logIn();
  try {
    for (const [uid, id] of await imap.messageIds()) {
      if (id !== `<${messageId}>`) continue;
      const [fetched] = await imap.fetch(String(uid));
      return fetched?.body?.toString("latin1");
    }
    return undefined;
  } finally {
    imap.close();
  }
}

const BOB = "bob@peer.test";
const sign = (text: string, key = rsa) => signed(text, "peer.test", [key]);
type Made = { mail: Mail; text: string; from: string };
const rows: readonly (readonly [
  name: string,
  make: () => Promise<Made>,
  smtp: number,
  http: number,
  says: RegExp,
])[] = [
  [
    "signed mail",
    async () => {
      const made = await mail(BOB);
      return { mail: made, text: await sign(made.text), from: BOB };
    },
    250,
    200,
    /OK/,
  ],
  [
    "signed mail whose envelope sender is another (SRS)",
    async () => {
      const made = await mail(BOB);
      return { mail: made, text: await sign(made.text), from: "srs0=x@forwarder.test" };
    },
    250,
    200,
    /OK/,
  ],
  [
    "a signed bounce",
    async () => {
      const made = await bounce("MAILER-DAEMON@peer.test");
      return { mail: made, text: await sign(made.text), from: "" };
    },
    250,
    200,
    /OK/,
  ],
  [
    "mail from an IP address",
    async () => {
      const made = await mail("bob@[192.0.2.7]");
      return { mail: made, text: made.text, from: "bob@[192.0.2.7]" };
    },
    250,
    200,
    /OK/,
  ],
  [
    "unsigned mail",
    async () => {
      const made = await mail(BOB);
      return { mail: made, text: made.text, from: BOB };
    },
    554,
    400,
    /No DKIM signature found/,
  ],
  [
    "an unsigned bounce",
    async () => {
      const made = await bounce("MAILER-DAEMON@peer.test");
      return { mail: made, text: made.text, from: "" };
    },
    554,
    400,
    /No DKIM signature found/,
  ],
  [
    "mail signed with another key",
    async () => {
      const made = await mail(BOB);
      return { mail: made, text: await sign(made.text, stranger), from: BOB };
    },
    554,
    400,
    /No valid DKIM signature found/,
  ],
  [
    "mail signed by another domain",
    async () => {
      const made = await mail("bob@sub.peer.test");
      return { mail: made, text: await sign(made.text), from: "bob@sub.peer.test" };
    },
    554,
    400,
    /No valid DKIM signature found/,
  ],
  [
    "mail that was changed on the way",
    async () => {
      const made = await mail(BOB);
      return { mail: made, text: (await sign(made.text)).replace("To: ", "To: x@evil.test, "), from: BOB };
    },
    554,
    400,
    /No valid DKIM signature found/,
  ],
  [
    "mail whose key the DNS can't tell now",
    async () => {
      const made = await mail("bob@broken.test");
      const text = await signed(made.text, "broken.test", [rsa]);
      return { mail: made, text, from: "bob@broken.test" };
    },
    451,
    503,
    /try again later/,
  ],
  [
    "signed mail in plain text",
    async () => {
      const text = `From: <${BOB}>\r\nMessage-ID: <plain@peer.test>\r\n\r\nhello\r\n`;
      return { mail: { messageId: "plain@peer.test", text }, text: await sign(text), from: BOB };
    },
    523,
    403,
    /Encryption Needed/,
  ],
];

for (const [name, make, smtp, http, says] of rows) {
  test(`${name}: ${smtp} on port 25, ${http} at /mxdeliv`, async () => {
    const first = await make();
    const reply = await bySmtp(first.text, first.from);
    expect([reply.code, reply.lines.join(" ")]).toEqual([smtp, expect.stringMatching(says)]);
    const second = await make();
    const answer = await byHttp(second.text, second.from);
    expect([answer.code, answer.body]).toEqual([http, expect.stringMatching(says)]);
    for (const { mail: sent } of [first, second]) {
      const text = await stored(sent.messageId);
      // What is delivered is what was signed, without the signature.
      expect(text).toBe(smtp === 250 ? sent.text : undefined);
    }
  });
}

test("a 10 MB message is verified while it streams by", async () => {
  const made = await mail(BOB, 10_000_000);
  const text = await sign(made.text);
  expect((await byHttp(text, BOB)).code).toBe(200);
  expect(await stored(made.messageId)).toBe(made.text);
  expect((await bySmtp(text.replace("Subject: [...]", "Subject: hello"), BOB)).code).toBe(554);
});

test("keys: dkim show, check and rotate, and the relay that publishes and signs", async () => {
  const config = ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir, "--json"];
  const shown = await runMadmail(["dkim", "show", ...config]);
  const { keys } = (
    JSON.parse(shown.output) as { data: { keys: { name: string; record: string; selector: string }[] } }
  ).data;
  expect(keys.map(({ selector }) => selector)).toEqual(["default", "ed25519"]);
  for (const { selector, record } of keys) {
    const response = await fetch(`http://127.0.0.1:${relay.ports.http}/.well-known/_domainkey/${selector}`);
    expect(await response.text()).toBe(`${record}\n`);
  }
  expect((await runMadmail(["dkim", "check", ...config])).code).toBe(1);
  for (const { name, record } of keys) {
    dns.zone.set(name, [{ type: "TXT", data: record.match(/.{1,255}/g) ?? [] }]);
  }
  const checked = await runMadmail(["dkim", "check", ...config]);
  expect(checked).toMatchObject({ code: 0 });
  expect(checked.output.match(/"state":"shown","signs":true/g)).toHaveLength(2);
  expect(await runMadmail(["dkim", "rotate", ...config])).toMatchObject({ code: 0 });
  expect(await runMadmail(["dkim", "rotate", ...config])).toMatchObject({ code: 1 });
  // The keys of before still sign, and are still in the DNS.
  expect((await runMadmail(["dkim", "check", ...config])).code).toBe(0);
});

test("the zone: dns show prints it, dns check says what is missing, and is content once it is there", async () => {
  const config = ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir, "--json"];
  const before = await runMadmail(["dns", "check", ...config]);
  expect(before).toMatchObject({ code: 1, output: expect.stringContaining('"state":"missing"') });
  dns.zone.set("relay.test", [
    { type: "A", data: "192.0.2.1" },
    { type: "MX", preference: 10, exchange: "relay.test" },
  ]);
  // Each command asks anew.
  expect(await runMadmail(["dns", "check", ...config])).toMatchObject({ code: 0 });
  const shown = await runMadmail(["dns", "show", ...config.slice(0, -1)]);
  expect(shown.output).toContain("relay.test. 3600 IN MX 10 relay.test.");
});

test("explain tells about signatures, with the DNS and without", async () => {
  const made = await mail(BOB);
  const file = join(relay.dir, "explain.eml");
  await Bun.write(file, Buffer.from(await sign(made.text, stranger), "latin1"));
  const config = ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir];
  const args = ["explain", file, "--from", BOB, "--to", alice, "--via", "smtp", ...config];
  const online = await runMadmail(args);
  expect(online.output).toContain("refuse: 554 5.7.1 No valid DKIM signature found");
  expect(online.output).toContain("signatures      wrongSignature");
  expect((await runMadmail([...args, "--offline"])).output).toContain("accept: 250");
});

test("nothing the relay printed names a user", () => {
  expect(relay.leaks(["bob@", "peer.test", "MAILER-DAEMON"])).toEqual([]);
});
