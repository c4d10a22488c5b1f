/** SIGHUP: a new certificate and new settings for who comes next, nothing dropped for who is there. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { makeCertificate, makeKey } from "../../src/tls/self-signed.ts";
import { ImapClient } from "../support/imap-client.ts";
import { Relay } from "../support/relay.ts";

const dir = mkdtempSync(join(tmpdir(), "madmail-reload-"));
const cert = join(dir, "cert.pem");
const key = join(dir, "key.pem");
let relay: Relay;

async function writePair(name: string): Promise<void> {
  const pem = await makeKey();
  writeFileSync(key, pem);
  writeFileSync(cert, await makeCertificate([name], pem, Date.now()));
}

/** Names in the certificate that a new connection sees. */
function presented(): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ host: "127.0.0.1", port: relay.ports.imaps, rejectUnauthorized: false }, () => {
    resolve(socket.getPeerCertificate().subjectaltname ?? "");
    socket.destroy();
  });
  socket.on("error", reject);
  return promise;
}

beforeAll(async () => {
  await writePair("first.test");
  relay = await Relay.start({ name: "reload", config: { tls: { mode: "file", cert, key } } });
});
afterAll(async () => {
  await relay.dispose();
  rmSync(dir, { recursive: true });
});

describe("SIGHUP", () => {
  test("a new certificate is for new connections; old ones go on", async () => {
    const old = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    expect(await presented()).toBe("DNS:first.test");
    await writePair("second.test");
    await relay.signalUntil("SIGHUP", "configuration read again");
    expect(await presented()).toBe("DNS:second.test");
    await old.ok("NOOP");
    old.close();
  });

  test("a pair that does not fit keeps the old one, and the operator is told why", async () => {
    writeFileSync(key, await makeKey());
    await relay.signalUntil("SIGHUP", "certificate not replaced");
    expect(await presented()).toBe("DNS:second.test");
  });

  test("a broken configuration changes nothing, and names file and key", async () => {
    const file = join(relay.dir, "madmail.toml");
    const good = readFileSync(file, "utf8");
    writeFileSync(file, good.replace('level = "debug"', 'level = "loud"'));
    await relay.signalUntil("SIGHUP", "configuration kept");
    expect(relay.output).toContain("madmail.toml: log.level: expected one of");
    await writePair("third.test");
    writeFileSync(file, good.replace("[limits]", "[limits]\nmessage_size = 5000"));
    await relay.signalUntil("SIGHUP", "configuration read again");
    expect(await presented()).toBe("DNS:third.test");
  });

  test("a new size limit is announced to who connects next", async () => {
    const socket = connect({ host: "127.0.0.1", port: relay.ports.submissions, rejectUnauthorized: false });
    const { promise, resolve } = Promise.withResolvers<string>();
    let heard = "";
    socket.on("data", (bytes) => {
      if (heard === "") socket.write("EHLO x\r\n");
      heard += bytes.toString("latin1");
      if (/^250 /m.test(heard)) resolve(heard);
    });
    expect(await promise).toContain("SIZE 5000\r\n");
    socket.destroy();
  });
});
