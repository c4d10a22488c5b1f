/**
 * One question to one name server, over UDP or TCP. Each question has a socket of its own, connected to the server,
 * so that the port is random and the kernel drops what others send (RFC 5452 §9).
 * Invariant: never rejects, and leaves no socket behind.
 */
import { EMPTY } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import type { DnsServer } from "./servers.ts";

/** Datagrams that may not be ours before the question counts as unanswered: a flood must not keep us busy. */
const STRAYS_MAX = 64;
/** RFC 1035 §4.2.2. */
const LENGTH_BYTES = 2;

export type Exchanged = { kind: "answer"; bytes: Uint8Array } | { kind: "timeout" | "unreachable" };

export interface ExchangeOptions {
  tcp: boolean;
  timeoutMs: number;
  /** Whether a datagram answers the question; others are ignored. `bytes` is borrowed. */
  accepts: (bytes: Uint8Array) => boolean;
}

/** How questions travel; tests may give another. */
export type Exchange = (
  server: DnsServer,
  question: Uint8Array,
  options: ExchangeOptions,
) => Promise<Exchanged>;

/** Over the machine's sockets. */
export function socketExchange(clock: Clock): Exchange {
  return (server, question, options) =>
    options.tcp ? overTcp(clock, server, question, options) : overUdp(clock, server, question, options);
}

async function overUdp(
  clock: Clock,
  { host, port }: DnsServer,
  question: Uint8Array,
  { timeoutMs, accepts }: ExchangeOptions,
): Promise<Exchanged> {
  const { promise, resolve } = Promise.withResolvers<Exchanged>();
  let strays = 0;
  let socket: { send(bytes: Uint8Array): boolean; close(): void } | undefined;
  const cancel = clock.after(timeoutMs, () => resolve({ kind: "timeout" }));
  try {
    socket = await Bun.udpSocket({
      connect: { hostname: host, port },
      socket: {
        data(_, bytes) {
          if (accepts(bytes)) resolve({ kind: "answer", bytes: Uint8Array.from(bytes) });
          else if (++strays > STRAYS_MAX) resolve({ kind: "timeout" });
        },
        error: () => resolve({ kind: "unreachable" }),
      },
    });
    socket.send(question);
    return await promise;
  } catch {
    return { kind: "unreachable" };
  } finally {
    cancel();
    socket?.close();
  }
}

/** The message with its length in front, both ways. */
async function overTcp(
  clock: Clock,
  { host, port }: DnsServer,
  question: Uint8Array,
  { timeoutMs, accepts }: ExchangeOptions,
): Promise<Exchanged> {
  const { promise, resolve } = Promise.withResolvers<Exchanged>();
  const cancel = clock.after(timeoutMs, () => resolve({ kind: "timeout" }));
  const framed = Buffer.concat([Uint8Array.of(question.length >> 8, question.length & 255), question]);
  let input: Buffer = Buffer.from(EMPTY);
  let unsent: Uint8Array = framed;
  const send = (socket: Bun.Socket): void => {
    unsent = unsent.subarray(Math.max(0, socket.write(unsent)));
  };
  const connecting = Bun.connect({
    hostname: host,
    port,
    socket: {
      open: send,
      drain: send,
      data(_, bytes) {
        // At most 64 kB can come together: anything longer is no answer to one question.
        input = Buffer.concat([input, bytes]);
        if (input.length < LENGTH_BYTES) return;
        const length = input.readUInt16BE(0);
        if (input.length < length + LENGTH_BYTES) return;
        const answer = Uint8Array.from(input.subarray(LENGTH_BYTES, length + LENGTH_BYTES));
        resolve(accepts(answer) ? { kind: "answer", bytes: answer } : { kind: "unreachable" });
      },
      end: () => resolve({ kind: "unreachable" }),
      close: () => resolve({ kind: "unreachable" }),
      error: () => resolve({ kind: "unreachable" }),
    },
  });
  connecting.then(
    (socket) => void promise.finally(() => socket.terminate()),
    () => resolve({ kind: "unreachable" }),
  );
  try {
    return await promise;
  } finally {
    cancel();
  }
}
