import { expect, test } from "bun:test";
import type { Address } from "./address.ts";
import { LocalChangeHub } from "./changes.ts";

const alice = "alice@r.test" as Address;
const bob = "bob@r.test" as Address;
const turn = () => new Promise<void>((resolve) => queueMicrotask(resolve));

test("notices of one turn are one look, for watchers of that account only", async () => {
  const hub = new LocalChangeHub();
  const looks: string[] = [];
  hub.subscribe(alice, () => looks.push("alice 1"));
  hub.subscribe(alice, () => looks.push("alice 2"));
  hub.subscribe(bob, () => looks.push("bob"));
  hub.publish(alice);
  hub.publish(alice);
  expect(looks).toEqual([]);
  await turn();
  expect(looks).toEqual(["alice 1", "alice 2"]);
});

test("a watcher that leaves before the turn ends is not called", async () => {
  const hub = new LocalChangeHub();
  const looks: string[] = [];
  const leave = hub.subscribe(alice, () => looks.push("gone"));
  hub.publish(alice);
  leave();
  await turn();
  expect(looks).toEqual([]);
});

test("a notice published while looking reaches the next turn", async () => {
  const hub = new LocalChangeHub();
  let looks = 0;
  hub.subscribe(alice, () => {
    looks += 1;
    if (looks === 1) hub.publish(alice);
  });
  hub.publish(alice);
  await turn();
  await turn();
  expect(looks).toBe(2);
});
