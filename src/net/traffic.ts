/**
 * Bytes by what they are for. Counted inside TLS, as protocols read and write them: what is paid for is a few percent
 * more. A counter is two numbers that only grow; nothing about who sent them is kept.
 */

export const trafficKinds = [
  "smtp",
  "imap",
  "http",
  "federation",
  "turn",
  "iroh",
  "shadowsocks",
  "push",
] as const;
export type TrafficKind = (typeof trafficKinds)[number];

export interface Traffic {
  readonly kind: TrafficKind;
  inBytes: number;
  outBytes: number;
}

export type TrafficBook = Readonly<Record<TrafficKind, Traffic>>;

export function newTrafficBook(): TrafficBook {
  const entries = trafficKinds.map((kind) => [kind, { kind, inBytes: 0, outBytes: 0 }] as const);
  return Object.fromEntries(entries) as Record<TrafficKind, Traffic>;
}
