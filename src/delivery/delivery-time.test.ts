import { expect, test } from "bun:test";
import { ManualClock } from "../core/clock.ts";
import { DeliveryTime } from "./delivery-time.ts";

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

test("pass() takes as long as the measured deliveries, one after the other", async () => {
  const clock = new ManualClock();
  const time = new DeliveryTime(clock);
  for (const ms of [3, 40]) {
    await time.measure(async () => {
      clock.advance(ms);
    });
  }
  for (const ms of [3, 40, 3]) {
    let passed = false;
    const passing = time.pass().then(() => {
      passed = true;
    });
    clock.advance(ms - 1);
    await settle();
    expect(passed).toBe(false);
    clock.advance(1);
    await passing;
  }
});

test("without deliveries pass() takes no time, and failed ones do not count", async () => {
  const clock = new ManualClock();
  const time = new DeliveryTime(clock);
  await time.pass();
  const failing = time.measure(() => {
    clock.advance(1000);
    return Promise.reject(new Error("as told"));
  });
  expect(await failing.catch(() => "failed")).toBe("failed");
  await time.pass();
});

test("only the last deliveries are remembered", async () => {
  const clock = new ManualClock();
  const time = new DeliveryTime(clock);
  const deliver = (ms: number) =>
    time.measure(async () => {
      clock.advance(ms);
    });
  await deliver(1_000_000);
  for (let i = 0; i < 16; i++) await deliver(0);
  await time.pass();
});
