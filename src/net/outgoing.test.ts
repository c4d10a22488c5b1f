/** What becomes of connections that are never made. */
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { afterAll, expect, test } from "bun:test";
import { systemClock } from "../core/clock.ts";
import { dial } from "./outgoing.ts";

/** Takes one connection and no more: to all others it is silent, as a dead host is. */
const SILENT_SERVER =
  "import socket,sys\ns=socket.socket()\ns.bind(('127.0.0.1',0))\ns.listen(0)\nprint(s.getsockname()[1],flush=True)\nsys.stdin.read()";
const PYTHON = "python3";
const TRIES = 40;
const stops: (() => void)[] = [];
afterAll(() => {
  for (const stop of stops.splice(0)) stop();
});

const openFiles = () => readdirSync("/proc/self/fd").length;

/** @returns its port, once it is full */
async function silentServer(): Promise<number> {
  const child = Bun.spawn([PYTHON, "-c", SILENT_SERVER], { stdin: "pipe", stdout: "pipe" });
  stops.push(() => child.kill());
  const { value } = await child.stdout.getReader().read();
  const port = Number(new TextDecoder().decode(value));
  const fillers: Socket[] = [];
  stops.push(() => fillers.forEach((filler) => filler.destroy()));
  // The kernel finishes handshakes for as many as fit its queue.
  for (let hasRoom = true; hasRoom; ) {
    const filler = connect(port, "127.0.0.1");
    fillers.push(filler);
    filler.on("error", () => {});
    hasRoom = await new Promise((resolve) => {
      filler.once("connect", () => resolve(true));
      setTimeout(resolve, 150, false);
    });
  }
  return port;
}

test.skipIf(Bun.which(PYTHON) === null)(
  "servers that never answer leave no sockets behind once they were given up",
  async () => {
    const port = await silentServer();
    const before = openFiles();
    const controls = Array.from({ length: TRIES }, () => new AbortController());
    const tries = controls.map(({ signal }, i) =>
      dial({
        addresses: ["127.0.0.1", "127.0.0.1"],
        port,
        timeoutMs: i % 2 === 0 ? 400 : 60_000,
        stop: signal,
        clock: systemClock,
      }),
    );
    const whys = async (parity: number) =>
      (await Promise.all(tries.filter((_, i) => i % 2 === parity))).map((one) => one.ok || one.why);
    expect(new Set(await whys(0))).toEqual(new Set(["connect timed out"]));
    for (const control of controls) control.abort();
    expect(new Set(await whys(1))).toEqual(new Set(["stopped"]));
    // A turn of the loop, in which closed sockets go.
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(openFiles()).toBeLessThanOrEqual(before);
  },
);
