/**
 * What chatmail relays would make of the mail we send: every kind that this relay emits, caught on the wire at a stranger's
 * server and put before a judge that states their rules anew (test/support/filtermail.ts).
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createMessage, encrypt } from "openpgp";
import { secureJoinRequest } from "../../src/pgp/fixtures.test-help.ts";
import { type Arrival, Crowd } from "../support/crowd.ts";
import { signed, testKey } from "../support/dkim.ts";
import { DnsServer } from "../support/dns-server.ts";
import { judge, type Records } from "../support/filtermail.ts";
import { ImapClient } from "../support/imap-client.ts";
import { awaitMail } from "../support/inbox.ts";
import { pgpMessage } from "../support/pgp-mail.ts";
import { Relay, runMadmail } from "../support/relay.ts";
import { SmtpClient } from "../support/smtp-client.ts";

const START_TIMEOUT_MS = 60_000;
const PASSWORD = "correct-horse-battery";
/** One more than a transfer has recipients. */
const GROUP = 101;
const LARGE_BYTES = 3_000_000;

let dns: DnsServer;
let crowd: Crowd;
let count = 0;
const relays: Relay[] = [];
const arrivals: Arrival[] = [];
let onArrival: () => void = () => {};

beforeAll(async () => {
  dns = await DnsServer.start();
  // The third takes mail by HTTPS, the fourth by SMTP, the seventh refuses.
  crowd = await Crowd.start(7);
  for (const { domain, host } of crowd.members) dns.zone.set(domain, [{ type: "A", data: host }]);
  crowd.onTaken = (arrival) => {
    arrivals.push(arrival);
    onArrival();
  };
});

afterAll(async () => {
  for (const relay of relays) await relay.dispose();
  crowd?.stop();
  dns?.stop();
});

const domainOf = (manner: string) => crowd.members.find((member) => member.manner === manner)?.domain ?? "";

async function startRelay(domain: string): Promise<Relay> {
  const relay = await Relay.start({
    name: `filtermail-${relays.length}`,
    domain,
    config: {
      dns: { servers: [dns.endpoint] },
      federation: crowd.federation,
      limits: { recipients: GROUP },
    },
  });
  relays.push(relay);
  return relay;
}

/** What the relay's operator would publish. */
async function recordsOf(relay: Relay): Promise<Records> {
  const config = ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir, "--json"];
  const { output } = await runMadmail(["dkim", "show", ...config]);
  const { data } = JSON.parse(output) as { data?: { keys: { name: string; record: string }[] } };
  return Object.fromEntries((data?.keys ?? []).map(({ name, record }) => [name, record]));
}

async function submit(relay: Relay, from: string, to: readonly string[], text: string): Promise<void> {
  const smtp = await SmtpClient.open({ port: relay.ports.submissions, tls: true });
  await smtp.auth(from, PASSWORD);
  const reply = await smtp.send({ from, to }, Buffer.from(text, "latin1"));
  expect([reply.code, ...reply.lines]).toEqual([250, expect.any(String)]);
  await smtp.quit();
}

/** All transfers of a message, once they have brought it to so many. */
async function arrived(messageId: string, recipients: number): Promise<Arrival[]> {
  for (;;) {
    const own = arrivals.filter(({ text }) => text.includes(`<${messageId}>`));
    if (own.reduce((sum, arrival) => sum + arrival.recipients.length, 0) >= recipients) return own;
    await new Promise<void>((resolve) => void (onArrival = resolve));
  }
}

type Make = (from: string, to: string, messageId: string) => Promise<string>;

const pgp =
  (bytes: number): Make =>
  async (from, to, messageId) =>
    (await pgpMessage({ from, to, messageId, bytes })).toString("latin1");

/** As in SecureJoin of newer clients and in channels: for who knows the secret. */
const forSecret: Make = async (from, to, messageId) => {
  const message = await createMessage({ text: "hello" });
  const armored = (await encrypt({ message, passwords: ["secret"], format: "armored" })) as string;
  const mail = (await pgpMessage({ from, to, messageId })).toString("latin1");
  const block = /-----BEGIN PGP MESSAGE-----[^]*-----END PGP MESSAGE-----/;
  return mail.replace(block, armored.trim().replace(/\r?\n/g, "\r\n"));
};

const joining: Make = (from, to, messageId) =>
  Promise.resolve(
    secureJoinRequest("vc-request")
      .replace(/^From:.*\r\n/m, `From: <${from}>\r\n`)
      .replace(/^To:.*\r\n/m, `To: <${to}>\r\n`)
      .replace(/^Message-ID:.*\r\n/im, "")
      .replace(/^/, `Message-ID: <${messageId}>\r\n`),
  );

const kinds: readonly (readonly [name: string, make: Make, recipients: number, kind: string])[] = [
  ["a message", pgp(4_000), 1, "encrypted"],
  ["a message to a group", pgp(4_000), GROUP, "encrypted"],
  ["a message for who knows a secret", forSecret, 1, "encrypted"],
  ["a request to join", joining, 1, "secureJoin"],
  ["a large message", pgp(LARGE_BYTES), 1, "encrypted"],
];

describe.each(["relay.test", "_relay.test", "[127.0.0.1]"])("from a relay at %s", (domain) => {
  let relay: Relay;
  let records: Records;
  let alice: string;

  beforeAll(async () => {
    relay = await startRelay(domain);
    records = domain.startsWith("[") ? {} : await recordsOf(relay);
    alice = relay.address("alicefilter");
  }, START_TIMEOUT_MS);

  for (const [name, make, recipients, kind] of kinds) {
    for (const manner of ["https", "smtp"] as const) {
      test(`${name}, by ${manner}, is taken`, async () => {
        const to = Array.from({ length: recipients }, (_, i) => `user${i}@${domainOf(manner)}`);
        const messageId = `judged-${++count}@localhost`;
        await submit(relay, alice, to, await make(alice, to[0] ?? "", messageId));
        const transfers = await arrived(messageId, recipients);
        for (const arrival of transfers) {
          expect(arrival.via).toBe(manner);
          expect(await judge(arrival, records)).toEqual({ kind: kind as "encrypted", faults: [] });
        }
        const reached = transfers.flatMap((arrival) => arrival.recipients);
        expect(reached.toSorted()).toEqual(to.toSorted());
      });
    }
  }

  test("a report of what could not be delivered would be taken, were it sent on", async () => {
    const messageId = `judged-${++count}@localhost`;
    const to = `nobody@${domainOf("refusing")}`;
    await submit(relay, alice, [to], await pgp(4_000)(alice, to, messageId));
    const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    await imap.login(alice, PASSWORD);
    const report = await awaitMail(imap, messageId);
    imap.close();
    expect(report).toContain(to);
    const key = testKey("rsa", "default");
    const text = domain.startsWith("[") ? report : await signed(report, domain, [key]);
    const arrival = asArrival(text, "", [alice]);
    const published = { [`default._domainkey.${domain}`]: key.record };
    expect(await judge(arrival, published)).toEqual({ kind: "bounce", faults: [] });
  });

  test("nothing it printed names anybody", () => {
    expect(relay.leaks(["user0@", "crowd.test"])).toEqual([]);
  });
});

function asArrival(text: string, sender: string, recipients: readonly string[]): Arrival {
  const lines = ["EHLO relay.test", `MAIL FROM:<${sender}>`, "DATA"];
  return { via: "smtp", lines, sender, recipients, text };
}

describe("the judge", () => {
  const from = "bob@peer.test";
  const key = testKey("rsa", "default");
  const published = { "default._domainkey.peer.test": key.record };
  const sign = (text: string) => signed(text, "peer.test", [key]);
  const rows: readonly (readonly [
    name: string,
    change: (text: string) => string | Promise<string>,
    fault: string,
  ])[] = [
    ["no signature", (text) => text, "a valid signature by the domain of From"],
    [
      "another domain's signature",
      (text) => signed(text, "sub.peer.test", [key]),
      "a valid signature by the domain of From",
    ],
    [
      "a change after signing",
      async (text) => (await sign(text)).replace(/^To: /m, "To: x, "),
      "a valid signature by the domain of From",
    ],
    ["two From fields", (text) => sign(`From: <${from}>\r\n${text}`), "one From with one address"],
    [
      "clear text",
      (text) => sign(text.replace("multipart/encrypted", "multipart/mixed")),
      "encrypted, SecureJoin or a bounce",
    ],
    [
      "an armor header",
      (text) => sign(text.replace("PGP MESSAGE-----\r\n", "PGP MESSAGE-----\r\nVersion: x\r\n")),
      "encrypted, SecureJoin or a bounce",
    ],
    [
      "a cut armor",
      (text) => sign(text.replace(/(\r\n[A-Za-z0-9+/]{60,64}){8}/, "")),
      "encrypted, SecureJoin or a bounce",
    ],
    [
      "a third part",
      (text) =>
        sign(text.replace(/--(\S+)--\r\n$/, "--$1\r\nContent-Type: text/plain\r\n\r\nhi\r\n--$1--\r\n")),
      "encrypted, SecureJoin or a bounce",
    ],
    [
      "a bare LF",
      (text) => sign(text.replace("Version: 1\r\n", "Version: 1\n")),
      "every line ends with CRLF",
    ],
    ["a Received field", (text) => sign(`Received: from me\r\n${text}`), "nothing tells about the client"],
    ["a subject", (text) => sign(text.replace("[...]", "lunch")), "a subject that tells nothing"],
  ];

  test.each(rows)("objects to %s", async (_, change, fault) => {
    const text = (await pgpMessage({ from, messageId: "m@peer.test" })).toString("latin1");
    const changed = await change(text);
    expect((await judge(asArrival(changed, from, ["a@x.test"]), published)).faults).toContain(fault);
  });

  test("objects to another envelope sender", async () => {
    const text = await sign((await pgpMessage({ from, messageId: "m@peer.test" })).toString("latin1"));
    const { faults } = await judge(asArrival(text, "eve@peer.test", ["a@x.test"]), published);
    expect(faults).toEqual(["MAIL FROM is From, and null for bounces"]);
  });
});
