/** The small parts: shared directory syncs, slots, the header cache. */
import { describe, expect, test } from "bun:test";
import { ManualClock, systemClock } from "../core/clock.ts";
import { errno } from "./files.test-help.ts";
import { diskFiles } from "./files.ts";
import { HeaderCache } from "./header-cache.ts";
import { QuickReads } from "./quick-reads.ts";
import { Running, Slots } from "./slots.ts";
import { DirectorySyncs } from "./syncs.ts";

describe("DirectorySyncs", () => {
  function held() {
    const ends: ((error?: Error) => void)[] = [];
    const files = {
      ...diskFiles,
      openDirectory: () => 0,
      close: () => undefined,
      sync: () =>
        new Promise<void>((resolve, reject) => {
          ends.push((error) => (error === undefined ? resolve() : reject(error)));
        }),
    };
    return { ends, syncs: new DirectorySyncs(files) };
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  test("late comers share one sync that begins after the running one", async () => {
    const { ends, syncs } = held();
    const done: string[] = [];
    const first = syncs.sync("/a").then(() => done.push("first"));
    const late = [1, 2, 3].map((n) => syncs.sync("/a").then(() => done.push(`late ${n}`)));
    const other = syncs.sync("/b").then(() => done.push("other"));
    expect(ends).toHaveLength(2);
    ends[0]?.();
    await first;
    await turn();
    expect(done).toEqual(["first"]);
    expect(ends).toHaveLength(3);
    ends[2]?.();
    ends[1]?.();
    await Promise.all([...late, other]);
    expect(ends).toHaveLength(3);
  });

  test("a failed sync fails those who shared it, not those who come after", async () => {
    const { ends, syncs } = held();
    const first = syncs.sync("/a").catch((error: unknown) => String(error));
    const late = syncs.sync("/a");
    ends[0]?.(errno("EIO"));
    expect(await first).toContain("EIO");
    await turn();
    ends[1]?.();
    await late;
  });
});

test("Slots let in as many as there are, then in order", async () => {
  const slots = new Slots(1);
  expect(slots.take()).toBeUndefined();
  const order: number[] = [];
  const waiting = [1, 2].map(async (n) => {
    await slots.take();
    order.push(n);
  });
  slots.give();
  slots.give();
  await Promise.all(waiting);
  expect(order).toEqual([1, 2]);
  slots.give();
  expect(slots.take()).toBeUndefined();
});

test("Running is idle when the last piece of work ended, failed or not", async () => {
  const running = new Running();
  await running.idle();
  let end = (): void => undefined;
  const work = running.during(() => new Promise<void>((resolve) => (end = resolve)));
  const failing = running.during(() => Promise.reject(new Error("x"))).catch(() => "failed");
  expect(await failing).toBe("failed");
  let idle = false;
  const wait = running.idle().then(() => (idle = true));
  await Promise.resolve();
  expect(idle).toBe(false);
  end();
  await Promise.all([work, wait]);
});

test("QuickReads leaves the disk to the pool for a second after three slow reads", () => {
  const clock = new ManualClock();
  let slow = false;
  const reads = new QuickReads(
    {
      ...systemClock,
      monotonicMs: () => {
        if (slow) clock.advance(1);
        return clock.monotonicMs();
      },
    },
    8,
  );
  const path = import.meta.path;
  expect(reads.head(path)).toHaveLength(8);
  expect(() => reads.head(`${path}.none`)).toThrow("ENOENT");
  slow = true;
  for (let n = 0; n < 3; n++) expect(reads.whole(path)?.length).toBeGreaterThan(8);
  slow = false;
  expect(reads.head(path)).toBeUndefined();
  clock.advance(1000);
  expect(reads.head(path)).toHaveLength(8);
});

describe("HeaderCache", () => {
  test("keeps within its bytes; what was used last stays", () => {
    const cache = new HeaderCache(3 * 260);
    for (const uid of [1, 2, 3]) cache.set(1, uid, new Uint8Array(100));
    cache.get(1, 1);
    cache.set(2, 1, new Uint8Array(100));
    expect([1, 2, 3].map((uid) => cache.has(1, uid))).toEqual([true, false, true]);
    expect(cache.bytes).toBe(3 * 260);
    cache.delete(1, 1);
    cache.delete(1, 1);
    cache.set(2, 1, new Uint8Array(1));
    expect(cache.bytes).toBe(260 + 161);
  });
});
