import { expect, test } from "bun:test";
import { ManualClock } from "../core/clock.ts";
import type { Event } from "../log/events.ts";
import { type Job, type JobContext, noFigures } from "./job.ts";
import { paced } from "./pace.ts";
import { Tasks } from "./scheduler.ts";

const HOUR_MS = 3_600_000;

function lab(jobs: (Partial<Job> & { name: string })[], random = () => 0.5) {
  const clock = new ManualClock();
  const events: Event[] = [];
  const log = { emit: (event: Event) => void events.push(event), counts: () => new Map() };
  const tasks = new Tasks({
    clock,
    log,
    random,
    jobs: jobs.map((job) => ({
      aliases: [],
      summary: "",
      intervalMs: () => HOUR_MS,
      run: async () => noFigures(),
      ...job,
    })),
  });
  return { clock, tasks, events };
}

/** Lets everything run that waits for nothing. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

test("a job runs soon after the start, then at its interval, give or take a tenth", async () => {
  const runs: number[] = [];
  const { clock, tasks } = lab([
    { name: "a", run: async () => (runs.push(clock.nowMs() - startMs), noFigures()) },
  ]);
  const startMs = clock.nowMs();
  await tasks.start();
  clock.advance(59_000);
  await settle();
  expect(runs).toEqual([]);
  clock.advance(1000);
  for (let i = 0; i < 120; i++) {
    clock.advance(60_000);
    await settle();
  }
  expect(runs).toEqual([480_000, 480_000 + HOUR_MS]);
  await tasks.stop();
});

test("jobs run one at a time, in the order in which they were asked for", async () => {
  const log: string[] = [];
  const gate = Promise.withResolvers<void>();
  const { tasks } = lab([
    { name: "a", run: async () => (log.push("a"), await gate.promise, log.push("a over"), noFigures()) },
    { name: "b", run: async () => (log.push("b"), noFigures()) },
  ]);
  const both = Promise.all([tasks.run("a"), tasks.run("b")]);
  await settle();
  expect(tasks.list().map(({ state }) => state)).toEqual(["running", "queued"]);
  gate.resolve();
  await both;
  expect(log).toEqual(["a", "a over", "b"]);
  expect(tasks.list().map(({ state }) => state)).toEqual(["idle", "idle"]);
});

test("a job that is still running does not pile up behind itself", async () => {
  let runs = 0;
  const gate = Promise.withResolvers<void>();
  const { clock, tasks } = lab([{ name: "a", run: async () => (runs++, await gate.promise, noFigures()) }]);
  await tasks.start();
  for (let i = 0; i < 10; i++) {
    clock.advance(HOUR_MS);
    await settle();
  }
  gate.resolve();
  await settle();
  expect(runs).toBe(1);
  await tasks.stop();
});

test("stop() cancels the running job and those in line, and waits", async () => {
  const { tasks } = lab([
    {
      name: "a",
      run: ({ signal }: JobContext) =>
        new Promise((resolve) => signal.addEventListener("abort", () => resolve(noFigures()))),
    },
  ]);
  const runs = [tasks.run("a"), tasks.run("a")];
  await settle();
  await tasks.stop();
  expect((await Promise.all(runs)).map((result) => result?.outcome)).toEqual(["cancelled", "cancelled"]);
});

test("a job that fails is told and does not stop the others", async () => {
  const { tasks, events } = lab([
    { name: "a", run: () => Promise.reject(new Error("boom")) },
    { name: "b", aliases: ["c"] },
  ]);
  expect((await tasks.run("a"))?.outcome).toBe("failed");
  expect((await tasks.run("c", { dryRun: true }))?.outcome).toBe("done");
  expect(events.map(({ kind }) => kind)).toEqual(["internalFault", "taskEnded", "taskEnded"]);
  expect(tasks.list().map(({ last }) => last?.dryRun)).toEqual([false, true]);
  expect(await tasks.run("nothing")).toBeUndefined();
  expect(tasks.find("c")).toBe("b");
});

test("an interval of 0 is only by hand, also after a reload", async () => {
  let interval = 0;
  const { tasks, clock } = lab([{ name: "a", intervalMs: () => interval }]);
  await tasks.start();
  expect(tasks.list()[0]?.nextRunMs).toBeUndefined();
  expect(await tasks.runAll()).toEqual([]);
  interval = HOUR_MS;
  tasks.reconfigure();
  expect(tasks.list()[0]?.nextRunMs).toBe(clock.nowMs() + HOUR_MS);
  interval = 0;
  tasks.reconfigure();
  expect(tasks.list()[0]?.nextRunMs).toBeUndefined();
  await tasks.stop();
});

test("paced() rests three times as long as was worked, and not at all once cancelled", async () => {
  const clock = new ManualClock();
  const stop = new AbortController();
  const breathe = paced(clock, stop.signal);
  clock.advance(1);
  expect(breathe()).toBeUndefined();
  clock.advance(4);
  let rested = false;
  const rest = breathe()?.then(() => {
    rested = true;
  });
  clock.advance(14);
  await settle();
  expect(rested).toBe(false);
  clock.advance(1);
  await rest;
  expect(breathe()).toBeUndefined();
  clock.advance(1000);
  const last = breathe();
  stop.abort();
  await last;
  expect(breathe()).toBeUndefined();
});
