import { expect, test } from "bun:test";
import { ManualClock } from "../core/clock.ts";
import { IdlePool } from "./idle-pool.ts";

function pool() {
  const clock = new ManualClock();
  const closed: string[] = [];
  const dead = new Set<string>();
  const idle = new IdlePool<string>({
    clock,
    idleMaxMs: 1000,
    perKeyMax: 2,
    max: 3,
    isUsable: (entry) => !dead.has(entry),
    close: (entry) => void closed.push(entry),
  });
  return { clock, closed, dead, idle };
}

test("what was kept is given once, the latest first", () => {
  const { idle, closed } = pool();
  idle.keep("a", "a1");
  idle.keep("a", "a2");
  expect([idle.take("a"), idle.take("b"), idle.take("a"), idle.take("a")]).toEqual([
    "a2",
    undefined,
    "a1",
    undefined,
  ]);
  expect([idle.size, closed.length]).toEqual([0, 0]);
});

test("what died meanwhile is closed, not given", () => {
  const { idle, closed, dead } = pool();
  idle.keep("a", "a1");
  idle.keep("a", "a2");
  dead.add("a2");
  expect(idle.take("a")).toBe("a1");
  expect([idle.size, closed]).toEqual([0, ["a2"]]);
});

test("there are bounds for one peer, whose latest goes, and for all, of whom the longest idle goes", () => {
  const { idle, closed } = pool();
  for (const entry of ["a1", "a2", "a3", "b1", "b2"]) idle.keep(entry.slice(0, 1), entry);
  expect([idle.size, closed]).toEqual([3, ["a3", "a1"]]);
});

test("time and the end close what is left, each once", () => {
  const { idle, clock, closed } = pool();
  idle.keep("a", "a1");
  clock.advance(500);
  idle.keep("a", "a2");
  clock.advance(500);
  expect([idle.size, closed]).toEqual([1, ["a1"]]);
  idle.stop();
  idle.keep("a", "a3");
  clock.advance(5000);
  expect([idle.size, closed]).toEqual([0, ["a1", "a2", "a3"]]);
});
