import { describe, expect, test } from "bun:test";
import { array, assert, integer, nat, oneof, property, record, uint8Array } from "fast-check";
import { encodeFrame, webSocketFrame } from "../../../test/support/iroh-client.ts";
import { type Frame, makeFrame } from "./frame.ts";
import type { Framing, FrameSink } from "./framing.ts";
import { RawFraming } from "./raw-framing.ts";
import { WebSocketFraming } from "./websocket.ts";

class Collector implements FrameSink {
  readonly messageMaxBytes = 100_000;
  readonly frames: [type: number, body: string][] = [];
  judge(): "take" {
    return "take";
  }
  frame(frame: Frame): boolean {
    this.frames.push([frame.type, Buffer.from(frame.body).toString("hex")]);
    return true;
  }
  reply(): void {}
  ended(): void {}
}

/** Feeds the stream cut at the given places, and spoils each piece after it was lent. */
function feed(framing: Framing, stream: Buffer, places: readonly number[]): Collector {
  const collector = new Collector();
  const cuts = [...new Set(places.map((place) => place % (stream.length + 1)))].sort((a, b) => a - b);
  for (const [i, from] of [0, ...cuts].entries()) {
    const lent = Uint8Array.from(stream.subarray(from, cuts[i] ?? stream.length));
    expect(framing.push(lent, collector)).toBeUndefined();
    lent.fill(0xdd);
  }
  return collector;
}

const frames = array(record({ type: integer({ min: 0, max: 63 }), bytes: oneof(nat(300), nat(70_000)) }), {
  maxLength: 6,
});
const places = array(nat(200_000), { maxLength: 12 });
const bodyOf = (bytes: number) =>
  Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 37 + bytes) & 255));

describe.each([
  ["raw", "legacy", () => new RawFraming()],
  ["WebSocket", "v2", () => new WebSocketFraming()],
] as const)("%s frames", (_, family, open) => {
  test("come out as they went in, wherever the stream is cut", () => {
    assert(
      property(frames, places, (sent, cuts) => {
        const stream = Buffer.concat(sent.map(({ type, bytes }) => encodeFrame(family, type, bodyOf(bytes))));
        const got = feed(open(), stream, cuts).frames;
        expect(got).toEqual(sent.map(({ type, bytes }) => [type, bodyOf(bytes).toString("hex")]));
      }),
      { numRuns: 60 },
    );
  });

  test("never throw on bytes of any kind", () => {
    assert(
      property(uint8Array({ maxLength: 400 }), (bytes) => {
        open().push(bytes, new Collector());
      }),
      { numRuns: 300 },
    );
  });
});

test("WebSocket messages may come in any number of pieces", () => {
  assert(
    property(uint8Array({ minLength: 1, maxLength: 3000 }), places, places, (message, ends, cuts) => {
      const at = [...new Set(ends.map((end) => end % (message.length + 1)))].sort((a, b) => a - b);
      const pieces = [0, ...at].map((from, i) => message.subarray(from, at[i] ?? message.length));
      const stream = Buffer.concat(
        pieces.map((piece, i) => webSocketFrame(i === 0 ? 2 : 0, piece, i === pieces.length - 1)),
      );
      const got = feed(new WebSocketFraming(), stream, cuts).frames;
      expect(got).toEqual([[message[0] ?? 0, Buffer.from(message.subarray(1)).toString("hex")]]);
    }),
    { numRuns: 60 },
  );
});

test.each([
  [0, "8201"],
  [124, "827d"],
  [125, "827e007e"],
  [65_534, "827effff"],
  [65_535, "827f0000000000010000"],
])("a WebSocket frame with a body of %i bytes has the shortest header (RFC 6455 §5.2)", (bytes, header) => {
  const sealed = Buffer.from(new WebSocketFraming().seal(makeFrame(9, bodyOf(bytes))));
  expect(sealed.toString("hex", 0, header.length / 2)).toBe(header);
  expect(sealed[header.length / 2]).toBe(9);
  expect(sealed.subarray(header.length / 2 + 1)).toEqual(bodyOf(bytes));
});
