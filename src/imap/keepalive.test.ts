import { expect, test } from "bun:test";
import { ManualClock } from "../core/clock.ts";
import { KeepaliveWheel } from "./keepalive.ts";

test("each target is visited once per interval, and nothing runs without targets", () => {
  const clock = new ManualClock();
  const wheel = new KeepaliveWheel(clock, 1600);
  const visits: number[] = [];
  const startMs = clock.nowMs();
  const target = { keepalive: () => void visits.push(clock.nowMs() - startMs) };
  clock.advance(1000);
  wheel.add(target);
  clock.advance(5000);
  expect(visits).toEqual([2600, 4200, 5800]);
  wheel.remove(target);
  clock.advance(10_000);
  expect(visits).toHaveLength(3);
  wheel.add(target);
  wheel.add(target);
  clock.advance(1600);
  expect(visits).toHaveLength(4);
});

test("targets may leave while they are visited", () => {
  const clock = new ManualClock();
  const wheel = new KeepaliveWheel(clock, 160);
  let visits = 0;
  const target = {
    keepalive: () => {
      visits++;
      wheel.remove(target);
    },
  };
  wheel.add(target);
  clock.advance(1000);
  expect(visits).toBe(1);
});
