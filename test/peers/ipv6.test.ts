/** Mail from other servers over IPv6, by SMTP and `/mxdeliv`, on the compiled relay. Skipped where there is no `::1`. */
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ImapClient } from "../support/imap-client.ts";
import { awaitMail } from "../support/inbox.ts";
import { pgpMessage } from "../support/pgp-mail.ts";
import { Relay } from "../support/relay.ts";
import { SmtpClient } from "../support/smtp-client.ts";

const PASSWORD = "correct-horse-battery";
const HOST = "::1";
const isMissing = !Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === HOST),
);

describe.skipIf(isMissing)("over IPv6 (needs ::1)", () => {
  let relay: Relay;
  let alice: string;
  let imap: ImapClient;

  beforeAll(async () => {
    relay = await Relay.start({
      name: "ipv6",
      address: `[${HOST}]`,
      config: { federation: { dkim: "off" } },
    });
    alice = relay.address("alicesix");
    imap = await ImapClient.open({ host: HOST, port: relay.ports.imaps, tls: true });
    await imap.login(alice, PASSWORD);
  });

  afterAll(async () => {
    imap?.close();
    await relay?.dispose();
  });

  const mail = (messageId: string) => pgpMessage({ from: "bob@[IPv6:::1]", to: alice, messageId });

  test("mail comes by SMTP with STARTTLS", async () => {
    const smtp = await SmtpClient.open({ host: HOST, port: relay.ports.smtp, startTls: true });
    const reply = await smtp.send({ from: "bob@[IPv6:::1]", to: [alice] }, await mail("six-1@peer.test"));
    expect(reply.code).toBe(250);
    await smtp.quit();
    await awaitMail(imap, "six-1@peer.test");
  });

  test("mail comes by /mxdeliv", async () => {
    const response = await fetch(`http://[${HOST}]:${relay.ports.http}/mxdeliv`, {
      method: "POST",
      headers: { "X-Mail-From": "bob@[IPv6:::1]", "X-Mail-To": alice },
      body: new Uint8Array(await mail("six-2@peer.test")),
    });
    expect([response.status, await response.text()]).toEqual([200, "250 OK"]);
    await awaitMail(imap, "six-2@peer.test");
  });

  test("nothing it printed names anybody", () => {
    expect(relay.leaks(["bob@"])).toEqual([]);
  });
});
