/** Certificates from a real authority (pebble), as the compiled relay obtains and renews them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { connect, type PeerCertificate, type TLSSocket } from "node:tls";
import { DnsServer } from "../support/dns-server.ts";
import { freePorts, hasPebble, Pebble } from "../support/pebble.ts";
import { Relay } from "../support/relay.ts";

const OBTAINED = "event=certificateObtained";

if (!hasPebble) test.skip("ACME with pebble (the Debian package is not installed)", () => {});

describe.if(hasPebble)("ACME", () => {
  let dns: DnsServer;
  beforeAll(async () => {
    dns = await DnsServer.start({
      "relay.test": [{ type: "A", data: "127.0.0.1" }],
      "mta-sts.relay.test": [{ type: "CNAME", data: "relay.test" }],
      "www.relay.test": [{ type: "A", data: "192.0.2.7" }],
    });
  });
  afterAll(() => dns.stop());

  describe("http-01", () => {
    let pebble: Pebble;
    let relay: Relay;
    beforeAll(async () => {
      const [http = 0] = await freePorts(1);
      pebble = await Pebble.start({ dns: dns.endpoint, httpPort: http });
      relay = await Relay.start({
        name: "acme-http",
        ports: { http },
        config: {
          tls: { mode: "acme" },
          acme: { directory: pebble.directoryUrl, ca_file: pebble.caFile, email: "postmaster@relay.test" },
          dns: { servers: [dns.endpoint] },
        },
      });
    });
    afterAll(async () => {
      await relay?.dispose();
      await pebble?.stop();
    });

    test("brings a certificate for the names that lead here", async () => {
      await relay.until((output) => output.includes(OBTAINED), 30_000);
      const socket = await trustedConnection(relay.ports.imaps, await pebble.root());
      expect(namesOf(socket.getPeerCertificate())).toEqual(["mta-sts.relay.test", "relay.test"]);
      socket.destroy();
    });
  });
});

/** @throws {Error} when the certificate does not lead to this root */
function trustedConnection(port: number, ca: string, servername = "relay.test"): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connect({ host: "127.0.0.1", port, servername, ca }, () => resolve(socket));
  socket.on("error", reject);
  return promise;
}

function namesOf(certificate: PeerCertificate): string[] {
  return (certificate.subjectaltname ?? "")
    .split(", ")
    .map((name) => name.replace(/^(DNS|IP Address):/, ""))
    .toSorted();
}
