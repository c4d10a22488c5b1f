import { describe, expect, test } from "bun:test";
import { HashSlots } from "./hash-slots.ts";

describe("HashSlots", () => {
  test("run so many at once, the rest in order, and refuse beyond the queue", async () => {
    const slots = new HashSlots(2, 2);
    const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
    const started: number[] = [];
    const runs = gates.map((gate, i) =>
      slots.run(async () => {
        started.push(i);
        await gate.promise;
        return i;
      }),
    );
    expect(started).toEqual([0, 1]);
    expect(slots.isFull).toBe(true);
    expect(slots.run(async () => 9)).toBeUndefined();
    gates[1]?.resolve();
    expect(await runs[1]).toBe(1);
    await Promise.resolve();
    expect(started).toEqual([0, 1, 2]);
    for (const gate of gates) gate.resolve();
    expect(await Promise.all(runs.flatMap((run) => run ?? []))).toEqual([0, 1, 2, 3]);
    expect(slots.isFull).toBe(false);
  });

  test("a failed run gives its place to the next", async () => {
    const slots = new HashSlots(1, 5);
    const failing = slots.run(() => Promise.reject(new Error("no memory")));
    const next = slots.run(async () => "next");
    expect(String(await failing?.catch(String))).toContain("no memory");
    expect(await next).toBe("next");
    expect(await slots.run(async () => "free")).toBe("free");
  });
});
