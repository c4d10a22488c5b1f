/**
 * Mail to and from an ordinary mail server: Postfix, OpenDKIM and Dovecot as Debian ships them, on loopback addresses
 * with a name server of our own. Certificates are checked both ways. Skipped where the packages are not there.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { makeCertificate, makeKey } from "../../src/tls/self-signed.ts";
import { signed } from "../support/dkim.ts";
import { DnsServer } from "../support/dns-server.ts";
import { ImapClient } from "../support/imap-client.ts";
import { awaitMail, inbox } from "../support/inbox.ts";
import { pgpMessage } from "../support/pgp-mail.ts";
import { freePostfixPorts, Postfix, whyNoPostfix } from "../support/postfix.ts";
import { Relay, runMadmail } from "../support/relay.ts";
import { type Reply, SmtpClient } from "../support/smtp-client.ts";

const START_TIMEOUT_MS = 60_000;
const PASSWORD = "correct-horse-battery";
const [HERE, THERE] = ["127.0.0.1", "127.0.0.2"] as const;
const BOB = "bob@peer.test";
const BEA = "bea@peer.test";
/** Postfix takes its mail, Dovecot does not. */
const GHOST = "ghost@peer.test";
const MESSAGE_MAX_BYTES = 1_000_000;
const whyNot = whyNoPostfix();
if (whyNot !== undefined) console.log(`Postfix is not talked to: ${whyNot}`);

let count = 0;
const nextId = (domain: string) => `interop-${++count}-${process.pid}@${domain}`;

describe.skipIf(whyNot !== undefined)("Postfix, OpenDKIM and Dovecot", () => {
  const dir = mkdtempSync(join(tmpdir(), "madmail-interop-"));
  let dns: DnsServer;
  let relay: Relay;
  let peer: Postfix;
  let alice: string;
  let aliceImap: ImapClient;
  let bobImap: ImapClient;

  beforeAll(async () => {
    dns = await DnsServer.start();
    const ports = freePostfixPorts(THERE);
    const key = await makeKey();
    const cert = await makeCertificate(["mx.peer.test"], key, Date.now());
    writeFileSync(join(dir, "peer.pem"), cert);
    relay = await startRelay(ports.smtp);
    peer = await Postfix.start({
      domain: "peer.test",
      host: THERE,
      users: [BOB, BEA],
      ghosts: [GHOST],
      password: PASSWORD,
      dnsPort: dns.port,
      ports,
      tls: { key, cert },
      messageMaxBytes: MESSAGE_MAX_BYTES,
      routes: [
        {
          domain: "relay.test",
          host: HERE,
          port: relay.ports.smtp,
          certificate: join(relay.stateDir, "tls/cert.pem"),
        },
      ],
    });
    await publish();
    alice = relay.address("aliceinterop");
    aliceImap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    expect((await aliceImap.login(alice, PASSWORD)).status).toBe("OK");
    bobImap = await peer.logIn(BOB);
  }, START_TIMEOUT_MS);

  afterAll(async () => {
    aliceImap?.close();
    bobImap?.close();
    await relay?.dispose();
    await peer?.stop();
    dns?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  function startRelay(smtpPort: number): Promise<Relay> {
    return Relay.start({
      name: "postfix",
      address: HERE,
      env: { NODE_EXTRA_CA_CERTS: join(dir, "peer.pem") },
      config: {
        dns: { servers: [dns.endpoint] },
        // Nobody listens where HTTPS is asked for: mail goes on to SMTP, and the certificate there must be good.
        federation: { allow_private_addresses: true, https_port: 1, http_port: 1, smtp_port: smtpPort },
        queue: { retry_first: "1s", retry_factor: 1 },
      },
    });
  }

  /** What both operators put into DNS. */
  async function publish(): Promise<void> {
    dns.zone.set("peer.test", [{ type: "MX", preference: 10, exchange: "mx.peer.test" }]);
    dns.zone.set("mx.peer.test", [{ type: "A", data: THERE }]);
    dns.zone.set("default._domainkey.peer.test", [{ type: "TXT", data: peer.keyRecord }]);
    dns.zone.set("relay.test", [{ type: "A", data: HERE }]);
    const config = ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir, "--json"];
    const { output } = await runMadmail(["dkim", "show", ...config]);
    const { data } = JSON.parse(output) as { data: { keys: { name: string; record: string }[] } };
    for (const { name, record } of data.keys) {
      dns.zone.set(name, [{ type: "TXT", data: record.match(/.{1,255}/g) ?? [] }]);
    }
  }

  async function submit(to: readonly string[], bytes?: number): Promise<{ id: string; text: string }> {
    const messageId = nextId("localhost");
    const first = to[0] ?? "";
    const mail = await pgpMessage({ from: alice, to: first, messageId, ...(bytes ? { bytes } : {}) });
    const smtp = await SmtpClient.open({ port: relay.ports.submissions, tls: true });
    await smtp.auth(alice, PASSWORD);
    expect((await smtp.send({ from: alice, to }, mail)).code).toBe(250);
    await smtp.quit();
    return { id: messageId, text: mail.toString("latin1") };
  }

  /** Bob's client hands a message to his server. */
  async function fromBob(
    text: string,
    how: { listener?: "submission" | "unsigned"; to?: string } = {},
  ): Promise<Reply> {
    const smtp = await peer.connect(how.listener);
    const reply = await smtp.send({ from: BOB, to: [how.to ?? alice] }, Buffer.from(text, "latin1"));
    await smtp.quit();
    return reply;
  }

  async function bobMail(over: { subject?: string } = {}): Promise<{ id: string; text: string }> {
    const id = nextId("peer.test");
    const made = (await pgpMessage({ from: BOB, to: alice, messageId: id })).toString("latin1");
    return { id, text: made.replace("Subject: [...]", `Subject: ${over.subject ?? "[...]"}`) };
  }

  test("our mail comes by STARTTLS, OpenDKIM verifies it, Bob reads it in Dovecot", async () => {
    const { id, text } = await submit([BOB]);
    const arrived = await awaitMail(bobImap, id);
    const header = unfold(arrived.slice(0, arrived.indexOf("\r\n\r\n")));
    expect(header).toMatch(
      /^Received: from relay\.test .*\(using TLSv1\.[23] with cipher .* with ESMTPS id /ms,
    );
    const results = header
      .split("\n")
      .filter((line) => line.startsWith("Authentication-Results: mx.peer.test;"));
    expect(results.join("\n")).toMatch(
      /dkim=pass .*header\.d=relay\.test header\.i=@relay\.test .*header\.s=default/,
    );
    expect(results.join("\n")).not.toMatch(/dkim=fail/);
    expect(header).toMatch(/^Return-Path: <aliceinterop@relay\.test>$/m);
    // From our first field on it is what Alice's client sent.
    expect(arrived).toEndWith(text);
    expect(relay.output).not.toContain("internalFault");
  });

  test("a group of two there is one transfer, and both have it", async () => {
    const { id } = await submit([BOB, BEA]);
    const beaImap = await peer.logIn(BEA);
    await Promise.all([awaitMail(bobImap, id), awaitMail(beaImap, id)]);
    beaImap.close();
    expect(await peer.log()).toMatch(/from=<aliceinterop@relay\.test>, size=\d+, nrcpt=2 /);
  });

  test("whom Postfix does not know is reported to Alice; the others have the message", async () => {
    const { id } = await submit([BOB, "nobody@peer.test"]);
    await awaitMail(bobImap, id);
    const report = await awaitMail(aliceImap, id);
    expect(report).toMatch(/^Content-Type: multipart\/report; report-type=delivery-status/m);
    expect(report).toContain("Final-Recipient: rfc822; nobody@peer.test");
    expect(report).toMatch(/Diagnostic-Code: smtp; 550 5\.1\.1 .*unknown in virtual mailbox table/);
    expect(report).not.toContain(BOB);
  });

  test("what is larger than Postfix announced is reported without being sent", async () => {
    const before = (await peer.log()).split("message size").length;
    const { id } = await submit([BOB], 1_500_000);
    const report = await awaitMail(aliceImap, id);
    expect(report).toMatch(/Diagnostic-Code: smtp; 552 5\.3\.4 /);
    expect((await peer.log()).split("message size").length).toBe(before);
  });

  test("mail that OpenDKIM signed comes to Alice as Bob wrote it", async () => {
    const { id, text } = await bobMail();
    expect((await fromBob(text)).code).toBe(250);
    const arrived = await awaitMail(aliceImap, id);
    expect(arrived).toBe(text);
    expect(await peer.log()).toMatch(/Verified TLS connection established to 127\.0\.0\.1/);
  });

  test("a name that does not exist here is not told to Bob", async () => {
    const { text } = await bobMail();
    await fromBob(text, { to: "nobodyatall@relay.test" });
    const { id, text: second } = await bobMail();
    await fromBob(second);
    await awaitMail(aliceImap, id);
    expect((await inbox(bobImap)).filter((mail) => mail.includes("nobodyatall"))).toEqual([]);
  });

  const refusals: readonly [
    name: string,
    make: () => Promise<{ id: string; text: string }>,
    how: { listener?: "submission" | "unsigned" },
    says: string,
  ][] = [
    [
      "mail without a signature",
      () => bobMail(),
      { listener: "unsigned" },
      "554 5.7.1 No DKIM signature found",
    ],
    [
      "mail that was changed after it was signed",
      () => bobMail({ subject: "break me" }),
      {},
      "554 5.7.1 No valid DKIM signature found",
    ],
    [
      "a signature of somebody else's domain",
      async () => {
        const { id, text } = await bobMail();
        return { id, text: await signed(text, "mx.peer.test", [peer.key]) };
      },
      { listener: "unsigned" },
      "554 5.7.1 No valid DKIM signature found",
    ],
    [
      "mail in plain text",
      () => {
        const id = nextId("peer.test");
        const text = `From: <${BOB}>\r\nTo: <${alice}>\r\nSubject: lunch\r\nMessage-ID: <${id}>\r\n\r\nAt noon?\r\n`;
        return Promise.resolve({ id, text });
      },
      {},
      "523 5.7.1 Encryption Needed: Invalid Unencrypted Mail",
    ],
  ];
  for (const [name, make, how, says] of refusals) {
    test(`${name} is refused, and Bob hears why from his server`, async () => {
      const { id, text } = await make();
      expect((await fromBob(text, how)).code).toBe(250);
      const bounce = unfold(await awaitMail(bobImap, id));
      expect(bounce).toContain("Diagnostic-Code: smtp;");
      expect(bounce.replace(/\s+/g, " ")).toContain(says);
      expect((await inbox(aliceImap)).filter((mail) => mail.includes(id))).toEqual([]);
    });
  }

  test("Postfix' own bounce, signed by OpenDKIM, comes to Alice", async () => {
    const { id } = await submit([GHOST]);
    const bounce = await awaitMail(aliceImap, id);
    expect(bounce).toMatch(/^From: .*<MAILER-DAEMON@peer\.test>/m);
    expect(bounce).toContain("ghost@peer.test");
    // Ours would say relay.test here.
    expect(bounce).toContain("Reporting-MTA: dns; mx.peer.test");
  });

  test("while our DNS can't tell the key, Postfix keeps the mail and comes again", async () => {
    const name = "later._domainkey.peer.test";
    dns.faults.set(name, "serverFailure");
    const { id, text } = await bobMail();
    const key = { ...peer.key, selector: "later" };
    await fromBob(await signed(text, "peer.test", [key]), { listener: "unsigned" });
    await relay.until((output) => output.includes("signatureUnclear"));
    dns.zone.set(name, [{ type: "TXT", data: peer.keyRecord }]);
    dns.faults.delete(name);
    expect(await awaitMail(aliceImap, id)).toBe(text);
    expect(await peer.log()).toMatch(
      /dsn=4\.\d\.\d, status=deferred \(host 127\.0\.0\.1\[127\.0\.0\.1\] said: 451 /,
    );
  });

  test("nothing the relay printed names anybody", () => {
    expect(relay.leaks(["bob@", "bea@", "ghost@", "peer.test"])).toEqual([]);
    expect(relay.output).not.toContain("internalFault");
  });
});

/** RFC 5322 §2.2.3, with LF line ends. */
function unfold(text: string): string {
  return text.replace(/\r\n/g, "\n").replace(/\n[ \t]+/g, " ");
}
