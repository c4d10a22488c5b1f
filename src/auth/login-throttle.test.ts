import { describe, expect, test } from "bun:test";
import { ManualClock } from "../core/clock.ts";
import { LoginThrottle, peerNetwork } from "./login-throttle.ts";

const fail = (throttle: LoginThrottle, peer: string, times: number) => {
  for (let i = 0; i < times; i++) throttle.failed(peer);
};

describe("LoginThrottle", () => {
  test("lets the limit through, then one more for each part of a minute", () => {
    const clock = new ManualClock();
    const throttle = new LoginThrottle(clock, () => 20);
    fail(throttle, "192.0.2.1", 19);
    expect(throttle.isOver("192.0.2.1")).toBe(false);
    throttle.failed("192.0.2.1");
    expect(throttle.isOver("192.0.2.1")).toBe(true);
    expect(throttle.isOver("192.0.2.2")).toBe(false);
    clock.advance(2999);
    expect(throttle.isOver("192.0.2.1")).toBe(true);
    clock.advance(1);
    expect(throttle.isOver("192.0.2.1")).toBe(false);
    throttle.failed("192.0.2.1");
    expect(throttle.isOver("192.0.2.1")).toBe(true);
  });

  test("forgives everything within a minute, however many failures there were", () => {
    const clock = new ManualClock();
    const throttle = new LoginThrottle(clock, () => 3);
    fail(throttle, "192.0.2.1", 1000);
    clock.advance(60_000);
    fail(throttle, "192.0.2.1", 2);
    expect(throttle.isOver("192.0.2.1")).toBe(false);
  });

  test("forgets peers that stopped failing, by itself", () => {
    const clock = new ManualClock();
    const throttle = new LoginThrottle(clock, () => 3);
    fail(throttle, "192.0.2.1", 3);
    clock.advance(30_000);
    fail(throttle, "192.0.2.2", 3);
    clock.advance(30_000);
    expect(throttle.size).toBe(1);
    clock.advance(60_000);
    expect(throttle.size).toBe(0);
    throttle.failed("192.0.2.1");
    clock.advance(60_000);
    expect(throttle.size).toBe(0);
  });

  test("never holds more peers than its bound, and drops the one that failed longest ago", () => {
    const throttle = new LoginThrottle(new ManualClock(), () => 1, 3);
    for (const peer of ["a", "b", "a", "c", "d"]) throttle.failed(peer);
    expect(throttle.size).toBe(3);
    expect(["a", "b", "c", "d"].map((peer) => throttle.isOver(peer))).toEqual([true, false, true, true]);
  });

  test("follows a limit that is changed while it runs", () => {
    let limit = 2;
    const throttle = new LoginThrottle(new ManualClock(), () => limit);
    fail(throttle, "192.0.2.1", 2);
    expect(throttle.isOver("192.0.2.1")).toBe(true);
    limit = 10;
    expect(throttle.isOver("192.0.2.1")).toBe(false);
  });
});

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::FFFF:192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["2001:0DB8:0001:0002::1", "2001:db8:1:2"],
  ["2001:db8:1:2::", "2001:db8:1:2"],
  ["2001:db8::1", "2001:db8:0:0"],
  ["2001:db8::1:2:3:4:5", "2001:db8:0:1"],
  ["::1", "0:0:0:0"],
  ["fe80::1%eth0", "fe80:0:0:0"],
])("peerNetwork(%j) is %j", (address, want) => {
  expect(peerNetwork(address)).toBe(want);
});
