import { expect, test } from "bun:test";
import { turnFuzz } from "./turn.ts";

test("the TURN engine holds its promises to hostile clients and peers", () => {
  for (let seed = 0; seed < 300; seed++) turnFuzz.run(seed);
  expect(turnFuzz.name).toBe("turn");
});
