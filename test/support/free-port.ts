/** Ports for servers that can't be asked which one they got, or that must have the same on several addresses. */
import { connect } from "node:net";

/** @param hosts loopback addresses on all of which it is free */
export function freePort(hosts: readonly string[] = ["127.0.0.1"]): number {
  for (;;) {
    const first = Bun.listen({ hostname: hosts[0] ?? "127.0.0.1", port: 0, socket: { data() {} } });
    const others: Bun.TCPSocketListener[] = [];
    try {
      for (const hostname of hosts.slice(1)) {
        others.push(Bun.listen({ hostname, port: first.port, socket: { data() {} } }));
      }
      return first.port;
    } catch {
      // Taken on another address: another one.
    } finally {
      for (const listener of [first, ...others]) listener.stop(true);
    }
  }
}

/** Whether somebody takes connections there: of many servers the only sign of life. */
export function isListening(port: number, host = "127.0.0.1"): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const answer = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once("connect", () => answer(true));
    socket.once("error", () => answer(false));
  });
}
