import { expect, test } from "bun:test";
import type { Address } from "./address.ts";
import { LocalChangeHub } from "./changes.ts";

const alice = "alice@relay.test" as Address;
const bob = "bob@relay.test" as Address;

test("notices of one turn are one look", async () => {
  const hub = new LocalChangeHub();
  let looks = 0;
  hub.subscribe(alice, () => looks++);
  for (let n = 0; n < 5; n++) hub.publish(alice);
  hub.publish(bob);
  expect(looks).toBe(0);
  await Promise.resolve();
  expect(looks).toBe(1);
  hub.publish(alice);
  await Promise.resolve();
  expect(looks).toBe(2);
});

test("who unsubscribed is not called, not even by a notice that is on its way", async () => {
  const hub = new LocalChangeHub();
  const seen: string[] = [];
  const ends: (() => void)[] = [];
  ends.push(hub.subscribe(alice, () => (seen.push("first"), ends[1]?.())));
  ends.push(hub.subscribe(alice, () => seen.push("second")));
  const third = hub.subscribe(alice, () => seen.push("third"));
  hub.publish(alice);
  third();
  await Promise.resolve();
  expect(seen).toEqual(["first"]);
});

test("a look that publishes is looked at again, once", async () => {
  const hub = new LocalChangeHub();
  let looks = 0;
  hub.subscribe(alice, () => {
    if (++looks === 1) hub.publish(alice);
  });
  hub.publish(alice);
  await Promise.resolve();
  await Promise.resolve();
  expect(looks).toBe(2);
});
