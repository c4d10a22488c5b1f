import { expect, test } from "bun:test";
import { newCounters } from "./counters.ts";
import { makeFrame } from "./frame.ts";
import { SENT_TO_MAX } from "./limits.ts";
import { type Member, Room } from "./room.ts";

class Guest implements Member {
  readonly id: string;
  readonly told: string[] = [];
  constructor(id: string) {
    this.id = id;
  }
  deliver(): void {
    this.told.push("packet");
  }
  peerGone(id: string): void {
    this.told.push(`gone ${id}`);
  }
  displaced(): void {}
  restored(): void {}
  replaced(): void {}
}

test("of very many that an endpoint wrote to, the latest are told that it left", () => {
  const room = new Room("close", newCounters());
  const talker = new Guest("talker");
  const others = Array.from({ length: SENT_TO_MAX + 3 }, (_, i) => new Guest(`guest ${i}`));
  for (const guest of [talker, ...others]) room.enter(guest);
  for (const { id } of others) room.forward(talker, id, makeFrame(0), 0);
  room.leave(talker);
  const told = others.filter((guest) => guest.told.includes("gone talker"));
  expect(told.map(({ id }) => id)).toEqual(others.slice(3).map(({ id }) => id));
});

test("an endpoint that comes back remembers nobody it wrote to before", () => {
  const room = new Room("keep", newCounters());
  const [first, friend] = [new Guest("a"), new Guest("b")];
  room.enter(first);
  room.enter(friend);
  room.forward(first, "b", makeFrame(0), 0);
  room.leave(first);
  const again = new Guest("a");
  room.enter(again);
  room.leave(again);
  expect(friend.told).toEqual(["packet", "gone a"]);
  expect(room.size).toBe(1);
});
