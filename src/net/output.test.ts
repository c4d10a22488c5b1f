import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { OutputQueue } from "./output.ts";

/** A socket that takes at most `room` bytes until it is drained; -1 means closed. */
class FakeSocket {
  room = Number.POSITIVE_INFINITY;
  writes: number[] = [];
  taken: number[] = [];

  write(bytes: Uint8Array): number {
    const count = Math.min(this.room, bytes.length);
    this.room -= Math.max(0, count);
    this.writes.push(bytes.length);
    for (const byte of bytes.subarray(0, Math.max(0, count))) this.taken.push(byte);
    return count;
  }
}

function make(maxBytes = 1000) {
  const socket = new FakeSocket();
  const events: string[] = [];
  const owner = {
    outputDrained: () => events.push("drained"),
    outputEnded: () => events.push("ended"),
    outputOverflowed: () => events.push("overflowed"),
  };
  return { socket, events, queue: new OutputQueue(socket, owner, maxBytes) };
}

const bytes = (text: string) => Buffer.from(text, "latin1");
const sent = (socket: FakeSocket) => Buffer.from(socket.taken).toString("latin1");
const turn = () => Promise.resolve();

describe("OutputQueue", () => {
  test("joins the small writes of a turn into one", async () => {
    const { socket, queue, events } = make();
    for (const text of ["a", "bc", "def"]) queue.write(bytes(text));
    expect(socket.writes).toEqual([]);
    await turn();
    expect(socket.writes).toEqual([6]);
    expect(sent(socket)).toBe("abcdef");
    expect([queue.queuedBytes, events]).toEqual([0, ["drained"]]);
  });

  test("does not copy large slices into a join, and keeps the order", async () => {
    const { socket, queue } = make(1_000_000);
    const large = new Uint8Array(20_000).fill(120);
    for (const slice of [bytes("a"), bytes("b"), large, bytes("c")]) queue.write(slice);
    await turn();
    expect(socket.writes).toEqual([2, 20_000, 1]);
    expect(sent(socket)).toBe(`ab${"x".repeat(20_000)}c`);
  });

  test("never joins more than 64 kB at once", async () => {
    const { socket, queue } = make(1_000_000);
    for (let i = 0; i < 20; i++) queue.write(new Uint8Array(10_000));
    await turn();
    expect(socket.writes).toEqual([60_000, 60_000, 60_000, 20_000]);
  });

  test("waits for drain after a partial write and reports drained once", async () => {
    const { socket, queue, events } = make();
    socket.room = 4;
    queue.write(bytes("abc"));
    queue.write(bytes("defg"));
    await turn();
    expect([sent(socket), queue.queuedBytes]).toEqual(["abcd", 3]);
    queue.write(bytes("h"));
    await turn();
    expect(sent(socket)).toBe("abcd");
    socket.room = 2;
    queue.drain();
    expect([sent(socket), events.length]).toEqual(["abcdef", 0]);
    socket.room = 100;
    queue.drain();
    expect([sent(socket), events]).toEqual(["abcdefgh", ["drained"]]);
    queue.drain();
    expect(events).toEqual(["drained"]);
  });

  test("a retried write starts with the same bytes and is never shorter", async () => {
    const { socket, queue } = make(1_000_000);
    socket.room = 0;
    for (let i = 0; i < 7; i++) queue.write(new Uint8Array(9000));
    await turn();
    queue.write(new Uint8Array(9000));
    queue.drain();
    expect(socket.writes).toEqual([63_000, 63_000]);
  });

  test("overflow drops what waits and reports once", () => {
    const { socket, queue, events } = make(10);
    socket.room = 3;
    queue.write(bytes("abcdefgh"));
    queue.write(bytes("ijklmn"));
    expect(events).toEqual(["overflowed"]);
    expect(queue.queuedBytes).toBe(0);
    queue.write(bytes("more"));
    queue.drain();
    expect([sent(socket), events]).toEqual(["abc", ["overflowed"]]);
  });

  test("a burst above the cap is no overflow while the peer reads", async () => {
    const { socket, queue, events } = make(10);
    for (let i = 0; i < 5; i++) queue.write(bytes("12345678"));
    await turn();
    expect([socket.taken.length, events]).toEqual([40, ["drained"]]);
  });

  test("end comes after what is queued, and nothing can be added", async () => {
    const { socket, queue, events } = make();
    socket.room = 2;
    queue.write(bytes("abcd"));
    queue.end();
    queue.write(bytes("no"));
    await turn();
    expect(events).toEqual([]);
    socket.room = 9;
    queue.drain();
    expect([sent(socket), events]).toEqual(["abcd", ["ended"]]);
  });

  test("end with nothing queued ends within the turn", async () => {
    const { queue, events } = make();
    queue.end();
    await turn();
    expect(events).toEqual(["ended"]);
  });

  test("a closed socket takes nothing and is not written to again", async () => {
    const { socket, queue } = make();
    socket.room = -1;
    queue.write(bytes("abc"));
    await turn();
    queue.close();
    queue.write(bytes("abc"));
    await turn();
    expect([socket.writes, queue.queuedBytes]).toEqual([[3], 0]);
  });

  test("whatever fits whenever, the stream arrives whole", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 30 }),
        fc.array(fc.nat(50), { minLength: 1, maxLength: 30 }),
        async (slices, rooms) => {
          const { socket, queue, events } = make(1_000_000);
          socket.room = 0;
          for (const [i, slice] of slices.entries()) {
            queue.write(slice);
            if (i % 3 === 0) await turn();
            socket.room = rooms[i % rooms.length] ?? 0;
            queue.drain();
          }
          queue.end();
          await turn();
          socket.room = Number.POSITIVE_INFINITY;
          queue.drain();
          expect(Buffer.from(socket.taken)).toEqual(Buffer.concat(slices));
          expect(events.filter((event) => event === "ended")).toEqual(["ended"]);
        },
      ),
      { numRuns: 100 },
    );
  });
});
