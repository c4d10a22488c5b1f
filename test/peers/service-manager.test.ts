/** What systemd hears from the compiled relay, on the socket where it would listen. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ReadableSubprocess } from "bun";
import { Relay } from "../support/relay.ts";

/** Bun has no such sockets, so another program listens. It prints each message as one line of JSON. */
const listener = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(json.dumps(s.recv(4096).decode()), flush=True)
`;

const python = Bun.which("python3");

describe.skipIf(python === null || process.platform !== "linux")("the service manager", () => {
  const dir = mkdtempSync(join(tmpdir(), "madmail-notify-"));
  let relay: Relay;
  let ear: ReadableSubprocess;
  let lines: AsyncIterator<string>;

  beforeAll(async () => {
    const socket = join(dir, "notify");
    ear = Bun.spawn([python ?? "", "-c", listener, socket], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    lines = linesOf(ear.stdout);
    expect((await lines.next()).value).toBe("bound");
    const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "400000" };
    relay = await Relay.start({ name: "service-manager", env });
  });
  afterAll(async () => {
    await relay.dispose();
    ear.kill();
    await ear.exited;
    rmSync(dir, { recursive: true });
  });

  /** The next message that is not a sign of life. */
  const message = async (): Promise<string> => {
    for (;;) {
      const { value } = await lines.next();
      const text = JSON.parse(String(value)) as string;
      if (text !== "WATCHDOG=1") return text;
    }
  };

  test("hears that the relay is ready, and then that it lives", async () => {
    expect(await message()).toBe("READY=1");
    for (let i = 0; i < 3; i++) expect(JSON.parse(String((await lines.next()).value))).toBe("WATCHDOG=1");
  });

  test("hears of a reload and its end", async () => {
    await relay.signalUntil("SIGHUP", "configuration read again");
    expect(await message()).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d+$/);
    expect(await message()).toBe("READY=1");
  });

  test("hears that the relay stops", async () => {
    await relay.stop();
    expect(await message()).toBe("STOPPING=1");
  });
});

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let partial = "";
  for await (const chunk of stream) {
    partial += decoder.decode(chunk, { stream: true });
    const whole = partial.split("\n");
    partial = whole.pop() ?? "";
    yield* whole;
  }
}
