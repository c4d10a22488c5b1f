/** Whether the listeners of a relay on this machine answer: the first word where the server speaks first. */
import { connect } from "node:net";

const ANSWER_MAX_MS = 5000;
/** Protocols in which the server speaks first; elsewhere an open connection has to do. */
const greetings: Partial<Record<string, RegExp>> = { smtp: /^220/, submission: /^220/, imap: /^\* OK/ };

/** Without TLS, or with TLS that the server begins after the client: a TCP connection is what can be asked. */
const STREAMS = ["smtp", "submission", "submissions", "imap", "imaps", "http", "https"];

/**
 * @param bound what listens, by name, as `127.0.0.1:25` or `[::]:25`
 * @returns those that don't answer, as `smtp 0.0.0.0:25`
 */
export async function silentListeners(bound: Readonly<Record<string, readonly string[]>>): Promise<string[]> {
  const all = STREAMS.flatMap((name) => (bound[name] ?? []).map((address) => ({ name, address })));
  const answers = await Promise.all(
    all.map(async ({ name, address }) => ((await answersOn(name, address)) ? [] : [`${name} ${address}`])),
  );
  return answers.flat();
}

function answersOn(name: string, address: string): Promise<boolean> {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  const port = Number(address.slice(colon + 1));
  const greeting = greetings[name];
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return new Promise((resolve) => {
    const socket = connect({ host: reachable, port });
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(ANSWER_MAX_MS, () => settle(false));
    socket.on("error", () => settle(false));
    socket.on("close", () => resolve(false));
    socket.on("connect", () => greeting === undefined && settle(true));
    socket.on("data", (bytes: Buffer) => settle(greeting?.test(bytes.toString("latin1")) === true));
  });
}
