/**
 * Hostile Shadowsocks streams: a good one is made from a seed, then changed, cut short, continued or sent again, and given
 * to the engine at once and in pieces. A finding is a throw, a difference in what came out, payload that the client did
 * not seal, a second stream under one salt, or memory beyond one chunk.
 */
import { methodNames, passwordFor, SsClient } from "../../src/shadowsocks/client.test-help.ts";
import { masterKey, type MethodName, methods } from "../../src/shadowsocks/engine/methods.ts";
import { ReplayFilter } from "../../src/shadowsocks/engine/replay.ts";
import { RequestReader, type SessionParts } from "../../src/shadowsocks/engine/request.ts";
import { ResponseWriter } from "../../src/shadowsocks/engine/response.ts";
import { primitives } from "../../src/shadowsocks/primitives.ts";
import { generator } from "./random.ts";

const TIMES = { nowMs: 1_790_000_000_000, monotonicMs: 1_000 };
const PAYLOAD_MAX_BYTES = 3_000;
/** A chunk of SIP022 with its tag. */
const HELD_MAX_BYTES = 0xffff + 16;

export const shadowsocksFuzz: { name: string; run(seed: number): void } = {
  name: "shadowsocks",
  run(seed) {
    const random = generator(seed);
    const below = (bound: number) => Math.floor(random() * bound);
    const method = methodNames[below(methodNames.length)] ?? "aes-128-gcm";
    const payload = Buffer.alloc(below(PAYLOAD_MAX_BYTES), `payload of ${seed} `);
    const good = makeStream(method, payload, below);
    const bad = spoil(good, below);
    const whole = read(session(method), [bad]);
    const pieces = read(session(method), cut(bad, below));
    if (JSON.stringify(whole) !== JSON.stringify(pieces)) {
      throw new Error(`it depends on the cuts: ${JSON.stringify({ whole, pieces })}`);
    }
    if (!payload.toString("latin1").startsWith(whole.payload)) throw new Error("payload that nobody sealed");
    again(method, good);
  },
};

function session(name: MethodName): SessionParts {
  const method = methods[name];
  const master = masterKey(method, passwordFor(name));
  if (master === undefined) throw new Error("no key");
  return { method, master, primitives, replay: new ReplayFilter({ windowMs: 60_000 }) };
}

function makeStream(method: MethodName, payload: Buffer, below: (bound: number) => number): Buffer {
  const salt = Uint8Array.from({ length: methods[method].keyBytes }, () => below(256));
  const client = new SsClient({ method, password: passwordFor(method), salt, nowMs: TIMES.nowMs });
  const first = below(payload.length + 1);
  const opening = client.open({
    host: ["mail.invalid", "192.0.2.1", "::1", "x".repeat(255)][below(4)] ?? "",
    port: below(65_536),
    payload: payload.subarray(0, first),
    ...(below(3) === 0 ? { addressChunkBytes: 1 + below(9) } : {}),
  });
  return Buffer.concat([opening, client.chunks(payload.subarray(first))]);
}

/** Changes bits, cuts the end off, puts bytes in or after; or leaves the stream as it is. */
function spoil(good: Buffer, below: (bound: number) => number): Buffer {
  const bytes = Buffer.from(good);
  const noise = Buffer.from(Array.from({ length: below(100) }, () => below(256)));
  const at = below(bytes.length);
  switch (below(5)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 + below(255));
      return bytes;
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
    case 3:
      return Buffer.concat([bytes, noise]);
    default:
      return bytes;
  }
}

function read(parts: SessionParts, pieces: readonly Uint8Array[]) {
  const reader = new RequestReader(parts);
  const story = { port: -1, payload: "", fault: "" };
  for (const piece of pieces) {
    const loan = Uint8Array.from(piece);
    const effects = reader.feed(loan, TIMES);
    loan.fill(0xaa);
    for (const effect of effects) {
      if (story.fault !== "") throw new Error("something came after the fault");
      if (effect.do === "connect") {
        if (story.port !== -1) throw new Error("a second target");
        story.port = effect.port;
      } else if (effect.do === "drain") story.fault = effect.why;
      else if (story.port === -1) throw new Error("payload before a target");
      else story.payload += Buffer.from(effect.bytes).toString("latin1");
    }
    if (reader.heldBytes > HELD_MAX_BYTES) throw new Error("more than a chunk is held");
  }
  return story;
}

/** A good stream opens once; what we answer opens nothing. */
function again(method: MethodName, good: Buffer): void {
  const parts = session(method);
  if (read(parts, [good]).port === -1) throw new Error("a good stream led nowhere");
  if (read(parts, [good]).fault !== "replayed") throw new Error("a replay was not seen");
  const said = Buffer.concat(new ResponseWriter(parts, new Uint8Array(32)).seal(good, TIMES));
  if (read(parts, [said]).fault === "") throw new Error("our own words were taken for a client's");
}

function cut(stream: Buffer, below: (bound: number) => number): Buffer[] {
  const pieces: Buffer[] = [];
  const stepMax = [1, 5, 50, 500][below(4)] ?? 1;
  for (let at = 0; at < stream.length; ) {
    const end = at + 1 + below(stepMax);
    pieces.push(stream.subarray(at, end));
    at = end;
  }
  return pieces;
}
