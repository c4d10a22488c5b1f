/**
 * TURN as others speak it, against the compiled relay: coturn's clients over UDP, TCP and TLS. Their exit codes say
 * little, so the text is read.
 */
import { createHmac } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Relay } from "../support/relay.ts";
import { isMissing, runTool } from "../support/tools.ts";

let relay: Relay;
/** Answers every datagram. */
let echo: Bun.udp.Socket<"buffer">;

beforeAll(async () => {
  relay = await Relay.start({
    name: "turn",
    config: { turn: { listen: ["127.0.0.1:0"], listen_tls: ["127.0.0.1:0"], allow_private_peers: true } },
  });
  echo = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: {
      data: (socket, bytes, port, address) => void socket.send(bytes, port, address),
      error() {},
    },
  });
});

afterAll(async () => {
  echo?.close();
  await relay?.dispose();
});

test("the secret is made at the first start and readable by the owner only", () => {
  const path = join(relay.stateDir, "turn-secret");
  expect(secret()).toMatch(/^[\w-]{43}$/);
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
      const { output } = await uclient(credentials(), ["-n", "20", "-m", "2", ...options]);
      expect(output).toMatch(/tot_send_msgs=40, tot_recv_msgs=40\b/);
      expect(output).toMatch(/lost packets 0 \(0\.000000%\)/);
    });
  }

  test.concurrent("turnutils_uclient is refused with a wrong password and with expired credentials", async () => {
    const [username] = credentials();
    for (const wrong of [[username, "wrong"], credentials(-10)] as const) {
      const { output } = await uclient(wrong, ["-n", "2", "-m", "1"]);
      expect(output).toContain("Cannot complete Allocation");
      expect(output).not.toMatch(/tot_recv_msgs=[1-9]/);
    }
  });
});

function secret(): string {
  return readFileSync(join(relay.stateDir, "turn-secret"), "utf8").trim();
}

function credentials(secondsLeft = 3600): [username: string, password: string] {
  const username = String(Math.floor(Date.now() / 1000) + secondsLeft);
  return [username, createHmac("sha1", secret()).update(username).digest("base64")];
}

function uclient([username, password]: readonly [string, string], options: readonly string[]) {
  const port = options.includes("-S") ? relay.turnsPort : relay.turnPort;
  const peer = options.includes("-y") ? [] : ["-e", "127.0.0.1", "-r", String(echo.port)];
  const server = ["-p", String(port), "-u", username, "-w", password, ...peer];
  return runTool(["turnutils_uclient", ...server, "-c", ...options, "127.0.0.1"], { timeoutMs: 40_000 });
}
