/** Programs of shadowsocks-libev as children on loopback, and a relay that speaks to them. */
import type { MethodName } from "../../src/shadowsocks/engine/methods.ts";

const READY_TIMEOUT_MS = 10_000;
const RETRY_MS = 20;

export interface Child {
  port: number;
  pid: number;
  stop(): Promise<void>;
}

/** A TCP port of loopback that nobody listens on now. */
function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

/** A SOCKS5 proxy whose other end is `serverPort`. */
export function startSsLocal(serverPort: number, method: MethodName, password: string): Promise<Child> {
  const port = freePort();
  const local = ["-b", "127.0.0.1", "-l", String(port)];
  return start(
    ["ss-local", "-s", "127.0.0.1", "-p", String(serverPort), ...local, "-k", password, "-m", method],
    port,
  );
}

/** The server that ours is measured beside. */
export function startSsServer(method: MethodName, password: string): Promise<Child> {
  const port = freePort();
  return start(["ss-server", "-s", "127.0.0.1", "-p", String(port), "-k", password, "-m", method], port);
}

async function start(command: string[], port: number): Promise<Child> {
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  process.on("exit", () => child.kill("SIGKILL"));
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (!(await isListening(port))) {
    if (performance.now() > deadline || child.exitCode !== null)
      throw new Error(`${command[0]} does not listen`);
    await Bun.sleep(RETRY_MS);
  }
  return {
    port,
    pid: child.pid,
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

export async function isListening(port: number): Promise<boolean> {
  try {
    (await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } })).end();
    return true;
  } catch {
    return false;
  }
}
