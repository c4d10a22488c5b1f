import { expect, test } from "bun:test";
import type { Peer } from "./connection.ts";
import { Introductions } from "./introductions.ts";

const HOST = "127.0.0.1";
const peer: Peer = { address: "192.0.2.7", port: 4711 };

/** Asks for each port and keeps the answers in order. */
function asking(introductions: Introductions, ports: readonly number[]) {
  const told: (string | undefined)[] = [];
  for (const port of ports) introductions.whose(HOST, port, (who) => told.push(who?.address));
  return told;
}

test("whoever was announced first is known at once, and only once", () => {
  const introductions = new Introductions();
  expect(introductions.expects(HOST)).toBe(false);
  introductions.dial(HOST, peer).announce(1000);
  expect(introductions.expects(HOST)).toBe(true);
  expect(asking(introductions, [1000, 1000])).toEqual(["192.0.2.7", undefined]);
  expect(introductions.expects(HOST)).toBe(false);
});

test("a connection that comes before its announcement waits for it", () => {
  const introductions = new Introductions();
  const dial = introductions.dial(HOST, peer);
  const told = asking(introductions, [1000]);
  expect(told).toEqual([]);
  dial.announce(1000);
  expect(told).toEqual(["192.0.2.7"]);
});

test("a stranger waits no longer than the dials under way, whatever becomes of them", () => {
  const introductions = new Introductions();
  const [first, second] = [introductions.dial(HOST, peer), introductions.dial(HOST, peer)];
  const told = asking(introductions, [2000]);
  first.announce(1000);
  expect(told).toEqual([]);
  second.retract();
  expect(told).toEqual([undefined]);
  first.retract();
  expect(introductions.expects(HOST)).toBe(false);
});

test("other addresses never wait", () => {
  const introductions = new Introductions();
  introductions.dial("192.0.2.1", peer);
  expect(introductions.expects(HOST)).toBe(false);
  expect(asking(introductions, [1])).toEqual([undefined]);
});

test("an introduction that nobody asked for is forgotten with its dial", () => {
  const introductions = new Introductions();
  const dial = introductions.dial(HOST, peer);
  dial.announce(1000);
  dial.retract();
  dial.retract();
  expect(introductions.expects(HOST)).toBe(false);
});
