/**
 * TURN as others speak it, against the compiled relay: coturn's clients over UDP, TCP and TLS (their exit codes say
 * little, so the text is read), libwebrtc that may talk through the relay only, and what the Delta Chat core makes of
 * the entry in METADATA.
 */
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join, resolve } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { methods } from "../../src/turn/engine/stun.ts";
import { readAnswer, request } from "../../src/turn/turn-client.test-help.ts";
import { Core } from "../support/delta-chat.ts";
import { Relay } from "../support/relay.ts";
import { isMissing, runTool } from "../support/tools.ts";

const root = resolve(import.meta.dir, "../..");
const CORE_TIMEOUT_MS = 60_000;

/** Lets clients reach the loopback address, where coturn's peer is. */
let relay: Relay;
/** As it is out there: no private peers. */
let strict: Relay;
/** Answers every datagram. */
let echo: Bun.udp.Socket<"buffer">;
let echo6: Bun.udp.Socket<"buffer"> | undefined;
const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some((a) => a.address === "::1"));

beforeAll(async () => {
  relay = await Relay.start({
    name: "turn",
    config: {
      turn: {
        listen: ["127.0.0.1:0", ...(hasIpv6 ? ["[::1]:0"] : [])],
        listen_tls: ["127.0.0.1:0"],
        allow_private_peers: true,
        allocation_bandwidth: 0,
      },
    },
  });
  strict = await Relay.start({ name: "turn-strict", domain: "[127.0.0.1]" });
  echo = await openEcho("127.0.0.1");
  if (hasIpv6) echo6 = await openEcho("::1");
});

afterAll(async () => {
  echo?.close();
  echo6?.close();
  await strict?.dispose();
  await relay?.dispose();
});

test("the secret is made at the first start and readable by the owner only", () => {
  const path = join(relay.stateDir, "turn-secret");
  expect(secret(relay)).toMatch(/^[\w-]{43}$/);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

describe.skipIf(isMissing("turnutils_uclient"))("coturn's clients (needs the package coturn)", () => {
  test("turnutils_stunclient sees its own address", async () => {
    const { output } = await runTool(["turnutils_stunclient", "-p", String(relay.turnPort), "127.0.0.1"]);
    expect(output).toMatch(/UDP reflexive addr: 127\.0\.0\.1:\d+/);
  });

  for (const [name, options] of [
    ["ChannelData over UDP", []],
    ["Send and Data indications over UDP, with padding", ["-s", "-l", "171"]],
    ["relay to relay", ["-y"]],
    ["TCP", ["-t"]],
    ["indications over TCP", ["-t", "-s", "-l", "171"]],
    ["TLS", ["-t", "-S"]],
  ] as const) {
    test.concurrent(`turnutils_uclient loses nothing: ${name}`, async () => {
      const { output } = await uclient(credentials(relay), ["-n", "20", "-m", "2", ...options]);
      expect(output).toMatch(/tot_send_msgs=40, tot_recv_msgs=40\b/);
      expect(output).toMatch(/lost packets 0 \(0\.000000%\)/);
    });
  }

  test
    .skipIf(!hasIpv6)
    .concurrent("turnutils_uclient loses nothing over a relayed IPv6 address", async () => {
      const { output } = await uclient(credentials(relay), ["-n", "20", "-m", "2", "-x"]);
      expect(output).toMatch(/tot_send_msgs=40, tot_recv_msgs=40\b/);
    });

  test.concurrent("turnutils_uclient is refused with a wrong password and with expired credentials", async () => {
    const [username] = credentials(relay);
    for (const wrong of [[username, "wrong"], credentials(relay, -10)] as const) {
      const { output } = await uclient(wrong, ["-n", "2", "-m", "1"]);
      expect(output).toContain("Cannot complete Allocation");
      expect(output).not.toMatch(/tot_recv_msgs=[1-9]/);
    }
  });
});

test("on port 443 clients that name `stun.turn` reach TURN (RFC 7443)", async () => {
  const socket = connect({
    host: "127.0.0.1",
    port: strict.ports.https,
    ALPNProtocols: ["stun.turn"],
    rejectUnauthorized: false,
  });
  await once(socket, "secureConnect");
  expect(socket.alpnProtocol).toBe("stun.turn");
  socket.write(request(methods.binding));
  const [bytes] = (await once(socket, "data")) as [Buffer];
  expect(readAnswer(bytes).mapped).toEqual({ address: "127.0.0.1", port: socket.localPort ?? 0 });
  socket.destroy();
});

const webrtcMissing =
  isMissing("node") || Bun.spawnSync(["node", "-e", 'require("@roamhq/wrtc")'], { cwd: root }).exitCode !== 0;

describe.skipIf(webrtcMissing)("libwebrtc (needs Node.js and the package @roamhq/wrtc)", () => {
  for (const [transport, query] of [
    ["udp", ""],
    ["tcp", "?transport=tcp"],
  ] as const) {
    test(`two peers that may use the relay only exchange data over ${transport}`, async () => {
      const url = `turn:127.0.0.1:${strict.turnPort}${query}`;
      const script = join(import.meta.dir, "turn-webrtc.mjs");
      const { output } = await runTool(["node", script, url, ...credentials(strict), "50", "1000"]);
      expect(JSON.parse(output)).toMatchObject({
        outcome: "ok",
        echoed: 50,
        types: ["relay"],
        localType: "relay",
        relayProtocol: transport,
      });
    });
  }
});

test(
  "the Delta Chat core passes our entry on to calls, and nothing else",
  async () => {
    const core = await Core.start("turn");
    try {
      const caller = await core.login({ relay: strict, localpart: "callerone" });
      const servers: unknown = JSON.parse(await core.rpc.iceServers(caller.id));
      const expected = {
        urls: [`turn:127.0.0.1:${strict.turnPort}`],
        username: expect.stringMatching(/^\d{10}$/) as string,
        credential: expect.stringMatching(/^[\w+/]{27}=$/) as string,
      };
      expect(servers).toEqual([expected]);
      const [{ username, credential }] = servers as [{ username: string; credential: string }];
      const fiveDays = Date.now() / 1000 + 5 * 86_400;
      expect(Math.abs(Number(username) - fiveDays)).toBeLessThan(CORE_TIMEOUT_MS / 1000);
      expect(credential).toBe(passwordOf(strict, username));
    } finally {
      await core.close();
    }
    expect(strict.leaks()).toEqual([]);
  },
  CORE_TIMEOUT_MS,
);

function openEcho(hostname: string): Promise<Bun.udp.Socket<"buffer">> {
  return Bun.udpSocket({
    hostname,
    socket: {
      data: (socket, bytes, port, address) => void socket.send(bytes, port, address),
      error() {},
    },
  });
}

function secret({ stateDir }: Relay): string {
  return readFileSync(join(stateDir, "turn-secret"), "utf8").trim();
}

function passwordOf(of: Relay, username: string): string {
  return createHmac("sha1", secret(of)).update(username).digest("base64");
}

function credentials(of: Relay, secondsLeft = 3600): [username: string, password: string] {
  const username = String(Math.floor(Date.now() / 1000) + secondsLeft);
  return [username, passwordOf(of, username)];
}

function uclient([username, password]: readonly [string, string], options: readonly string[]) {
  const port = options.includes("-S") ? relay.turnsPort : relay.turnPort;
  const peer = options.includes("-x")
    ? ["-e", "::1", "-r", String(echo6?.port)]
    : ["-e", "127.0.0.1", "-r", String(echo.port)];
  const server = ["-p", String(port), "-u", username, "-w", password];
  const command = ["turnutils_uclient", ...server, ...(options.includes("-y") ? [] : peer), "-c", ...options];
  return runTool([...command, "127.0.0.1"], { timeoutMs: 40_000 });
}
