import { expect, test } from "bun:test";
import { fromLatin1, toLatin1 } from "../../core/bytes.ts";
import { HeldInput } from "./held-input.ts";

test("held input is a copy, also of a Buffer", () => {
  const held = new HeldInput();
  const lent = Buffer.from("abc");
  held.push(lent, 1);
  lent.fill(0);
  const seen: string[] = [];
  held.drain((piece) => seen.push(toLatin1(piece)) + 1);
  expect(seen).toEqual(["bc"]);
});

test("input is handed over in order, and goes on where the reader stopped", () => {
  const held = new HeldInput();
  held.push(fromLatin1("abc"), 0);
  held.push(fromLatin1("xdef"), 1);
  held.push(fromLatin1("x"), 1);
  expect(held.bytes).toBe(6);
  const seen: string[] = [];
  const readTwo = (piece: Uint8Array): number => {
    seen.push(toLatin1(piece));
    return Math.min(2, piece.length);
  };
  const left: number[] = [];
  while (held.bytes > 0) {
    held.drain(readTwo);
    left.push(held.bytes);
  }
  expect(seen).toEqual(["abc", "c", "def", "f"]);
  expect(left).toEqual([4, 1, 0]);
});

test("a reader may clear what is held", () => {
  const held = new HeldInput();
  held.push(fromLatin1("abc"), 0);
  held.push(fromLatin1("def"), 0);
  let calls = 0;
  held.drain((piece) => {
    calls++;
    held.clear();
    return piece.length;
  });
  expect([calls, held.bytes]).toEqual([1, 0]);
});
