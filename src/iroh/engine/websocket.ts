/**
 * The server's side of WebSocket (RFC 6455), as far as an iroh relay needs it: binary messages, each a type byte and a
 * body; no extensions. Text messages are passed over.
 * Invariants: memory grows with what has come, not with what was announced; no message exceeds the sink's bound.
 */
import { Frame, Gathering, HEADROOM_BYTES } from "./frame.ts";
import type { Framing, FrameSink } from "./framing.ts";

const OP_CONTINUATION = 0;
const OP_TEXT = 1;
const OP_BINARY = 2;
const OP_CLOSE = 8;
const OP_PING = 9;
const OP_PONG = 10;
/** RFC 6455 §5.5. */
const CONTROL_MAX_BYTES = 125;
/** Two bytes, eight of length, four of mask. */
const HEADER_MAX_BYTES = 14;
const FIN = 0x80;
/** Below it, a view of words costs more than it saves. */
const WORDS_FROM_BYTES = 128;
/** RFC 6455 §7.4.1. */
const closeCodes = { goingAway: 1001, protocolError: 1002 } as const;

export class WebSocketFraming implements Framing {
  readonly #header = new Uint8Array(HEADER_MAX_BYTES);
  #headerBytes = 0;
  /** The frame under way. */
  #opcode = 0;
  #final = false;
  #left = 0;
  #inPayload = false;
  readonly #mask = new Uint8Array(4);
  /** Bytes of this frame unmasked so far, for the phase of the mask. */
  #phase = 0;
  /** The message under way: what its first frame said. */
  #message: "none" | "binary" | "text" = "none";
  readonly #gathering = new Gathering(HEADROOM_BYTES - 1);
  readonly #control = new Gathering(0);

  push(bytes: Uint8Array, sink: FrameSink): string | undefined {
    let at = 0;
    for (;;) {
      while (!this.#inPayload) {
        if (at >= bytes.length) return undefined;
        this.#header[this.#headerBytes++] = bytes[at++] ?? 0;
        if (this.#headerBytes < headerLength(this.#header, this.#headerBytes)) continue;
        const fault = this.#begin(sink);
        if (fault !== undefined) return fault;
      }
      const count = Math.min(bytes.length - at, this.#left);
      if (count > 0) this.#take(bytes, at, count);
      at += count;
      if (this.#left > 0) return undefined;
      this.#inPayload = false;
      this.#headerBytes = 0;
      const outcome = this.#frameDone(sink);
      if (outcome === "go on") continue;
      return outcome === "stop" ? undefined : outcome;
    }
  }

  /** RFC 6455 §5.2. */
  #begin(sink: FrameSink): string | undefined {
    const [first = 0, second = 0] = this.#header;
    this.#opcode = first & 0x0f;
    this.#final = (first & FIN) !== 0;
    if ((first & 0x70) !== 0) return "reserved bits of a WebSocket frame";
    // RFC 6455 §5.1: a client masks all it sends.
    if ((second & 0x80) === 0) return "WebSocket frame without a mask";
    const length = payloadLength(this.#header);
    const fault = this.#opcode >= OP_CLOSE ? this.#beginControl(length) : this.#beginData(length, sink);
    if (fault !== undefined) return fault;
    this.#mask.set(this.#header.subarray(this.#headerBytes - 4, this.#headerBytes));
    this.#phase = 0;
    this.#left = length;
    this.#inPayload = true;
    return undefined;
  }

  #beginControl(length: number): string | undefined {
    if (!this.#final || length > CONTROL_MAX_BYTES) return "WebSocket control frame too long or in pieces";
    if (this.#opcode > OP_PONG) return "unknown WebSocket opcode";
    this.#control.want(length);
    return undefined;
  }

  #beginData(length: number, sink: FrameSink): string | undefined {
    if (this.#opcode > OP_BINARY) return "unknown WebSocket opcode";
    // RFC 6455 §5.4: a message is finished before the next begins.
    if ((this.#opcode === OP_CONTINUATION) === (this.#message === "none")) {
      return "WebSocket message inside a message";
    }
    if (this.#opcode !== OP_CONTINUATION) this.#message = this.#opcode === OP_TEXT ? "text" : "binary";
    if (this.#gathering.length + length > sink.messageMaxBytes) return "WebSocket message too long";
    if (this.#message === "binary") this.#gathering.want(length);
    return undefined;
  }

  #take(bytes: Uint8Array, at: number, count: number): void {
    this.#left -= count;
    const target = this.#opcode >= OP_CLOSE ? this.#control : this.#gathering;
    if (target === this.#gathering && this.#message === "text") return;
    const from = target.end;
    // No more than this frame's bytes were wanted.
    target.add(bytes, at);
    unmask(target.space, from, target.end, this.#mask, this.#phase);
    this.#phase = (this.#phase + count) & 3;
  }

  #frameDone(sink: FrameSink): "go on" | "stop" | (string & {}) {
    if (this.#opcode >= OP_CLOSE) return this.#controlDone(sink);
    if (!this.#final) return "go on";
    const kind = this.#message;
    this.#message = "none";
    if (kind === "text") return "go on";
    if (this.#gathering.length === 0) return "empty WebSocket message";
    const space = this.#gathering.take();
    const type = space[HEADROOM_BYTES - 1] ?? 0;
    const verdict = sink.judge(type, space.length - HEADROOM_BYTES);
    if (verdict === "refuse") return "frame not expected";
    if (verdict === "take" && !sink.frame(new Frame(type, space))) return "stop";
    return "go on";
  }

  #controlDone(sink: FrameSink): "go on" | "stop" {
    const payload = this.#control.take();
    if (this.#opcode === OP_PING) sink.reply(controlFrame(OP_PONG, payload));
    if (this.#opcode !== OP_CLOSE) return "go on";
    // RFC 6455 §5.5.1: answer in kind, with the code that came.
    sink.reply(controlFrame(OP_CLOSE, payload.subarray(0, 2)));
    sink.ended();
    return "stop";
  }

  seal(frame: Frame): Uint8Array {
    const { space, bodyAt } = frame;
    const length = frame.bodyBytes + 1;
    const typeAt = bodyAt - 1;
    space[typeAt] = frame.type;
    let from = typeAt;
    if (length < 126) {
      space[--from] = length;
    } else if (length < 65_536) {
      space[--from] = length;
      space[--from] = length >>> 8;
      space[--from] = 126;
    } else {
      for (let i = 0, rest = length; i < 8; i++, rest = Math.floor(rest / 256)) space[--from] = rest;
      space[--from] = 127;
    }
    space[--from] = FIN | OP_BINARY;
    return space.subarray(from);
  }

  farewell(why: keyof typeof closeCodes): Uint8Array {
    const code = closeCodes[why];
    return controlFrame(OP_CLOSE, Uint8Array.of(code >>> 8, code));
  }
}

/** Length of the header as far as its first `known` bytes tell. */
function headerLength(header: Uint8Array, known: number): number {
  if (known < 2) return 2;
  const second = header[1] ?? 0;
  const extended = (second & 0x7f) === 126 ? 2 : (second & 0x7f) === 127 ? 8 : 0;
  return 2 + extended + ((second & 0x80) === 0 ? 0 : 4);
}

function payloadLength(header: Uint8Array): number {
  const short = (header[1] ?? 0) & 0x7f;
  if (short < 126) return short;
  const end = short === 126 ? 4 : 10;
  let length = 0;
  for (let i = 2; i < end; i++) length = length * 256 + (header[i] ?? 0);
  return length;
}

function controlFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + payload.length);
  bytes[0] = FIN | opcode;
  bytes[1] = payload.length;
  bytes.set(payload, 2);
  return bytes;
}

/**
 * Takes the mask off `bytes[from…to)` (RFC 6455 §5.3), four bytes at a time where there are enough of them.
 * @param phase which byte of the mask is first
 */
function unmask(bytes: Uint8Array, from: number, to: number, mask: Uint8Array, phase: number): void {
  if (to - from < WORDS_FROM_BYTES) {
    unmaskSingly(bytes, from, to, mask, phase);
    return;
  }
  const aligned = from + ((4 - ((bytes.byteOffset + from) & 3)) & 3);
  unmaskSingly(bytes, from, aligned, mask, phase);
  const turn = phase + aligned - from;
  const at = (i: number) => mask[(turn + i) & 3] ?? 0;
  // Little-endian, as every machine is that Bun runs on.
  const word = at(0) | (at(1) << 8) | (at(2) << 16) | (at(3) << 24);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + aligned, (to - aligned) >> 2);
  for (let i = 0; i < words.length; i++) words[i] = (words[i] ?? 0) ^ word;
  unmaskSingly(bytes, aligned + words.length * 4, to, mask, turn);
}

function unmaskSingly(bytes: Uint8Array, from: number, to: number, mask: Uint8Array, phase: number): void {
  for (let at = from, turn = phase; at < to; at++, turn++) {
    bytes[at] = (bytes[at] ?? 0) ^ (mask[turn & 3] ?? 0);
  }
}
