import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "../core/clock.ts";
import { HistoryRows } from "../db/history.ts";
import { closeDatabase, type Db, openDatabase } from "../db/open.ts";
import type { Event } from "../log/events.ts";
import { newTrafficBook } from "../net/traffic.ts";
import { exposition } from "./exposition.ts";
import { Figures } from "./figures.ts";
import { Histogram } from "./histogram.ts";
import { History, HistoryRecorder } from "./history.ts";
import { families } from "./page.ts";
import { MetricsServer } from "./server.ts";
import { Tally } from "./tally.ts";

const silent = { emit: () => {}, counts: () => new Map<string, number>() };
const traffic = newTrafficBook();
let clock: ManualClock;
let tally: Tally;
let figures: Figures;
let totals: { sent: number; received: number; outbound: number };

beforeEach(() => {
  // A full hour, so that steps of every ring begin here.
  clock = new ManualClock(1_700_006_400_000);
  tally = new Tally();
  totals = { sent: 0, received: 0, outbound: 0 };
  figures = new Figures({
    stateDir: tmpdir(),
    startedAtMs: clock.nowMs(),
    tally,
    traffic,
    totals: () => ({ ...totals }),
    accounts: () => 3,
    queue: () => ({ messages: 7, bytes: 70, running: 1 }),
    connections: () => ({ imaps: { connections: 3, addresses: 2 }, https: { connections: 1, addresses: 1 } }),
    turn: () => ({ allocations: 2, bytes: 500 }),
    census: () => undefined,
    activeAccounts: () => 1,
    clock,
  });
});

test("a histogram tells quantiles within a fifth, also of what came since", () => {
  const histogram = new Histogram();
  for (let ms = 1; ms <= 1000; ms++) histogram.note(ms);
  for (const part of [0.5, 0.9, 0.99]) {
    const got = histogram.quantile(part);
    expect(got).toBeGreaterThanOrEqual(1000 * part);
    expect(got).toBeLessThan(1200 * part);
  }
  const before = histogram.snapshot();
  expect(histogram.quantile(0.5, before)).toBe(0);
  histogram.note(5000);
  expect(histogram.quantile(0.5, before)).toBeGreaterThanOrEqual(5000);
  expect(histogram.below(10_000)).toBe(1001);
  for (const ms of [0, -1, Number.MAX_VALUE]) histogram.note(ms);
  expect(histogram.count).toBe(1004);
});

test("the tally keeps labels and passes everything on", () => {
  const seen: Event[] = [];
  const log = tally.over({ ...silent, emit: (event) => void seen.push(event) });
  log.emit({ kind: "messageAccepted", via: "smtp", bytes: 10, recipients: 1 });
  log.emit({ kind: "messageRefused", via: "smtp", why: "mailLoop" });
  log.emit({ kind: "messageRefused", via: "submission", why: "mailLoop" });
  log.emit({ kind: "notice", text: "x" });
  expect(seen).toHaveLength(4);
  expect(tally.total("messageRefused")).toBe(2);
  expect(tally.total("messageRefused", "smtp")).toBe(1);
  expect(tally.acceptedBytes).toBe(10);
});

test("each relayed datagram came in and went out", () => {
  expect(figures.traffic().turn).toEqual({ inBytes: 500, outBytes: 500 });
});

test("the page has the peers' names with their labels, in both forms", () => {
  const log = tally.over(silent);
  figures.observer.opened("submission");
  log.emit({ kind: "messageAccepted", via: "submission", bytes: 10, recipients: 1 });
  log.emit({ kind: "messageRefused", via: "smtp", why: "encryptionNeeded" });
  log.emit({ kind: "commandRefused", mode: "submissions", command: "MAIL", why: "tooMuchMail" });
  log.emit({ kind: "loginFailed", proto: "smtp", why: "wrongPassword" });
  const classic = exposition(families(figures), "classic");
  for (const line of [
    'maddy_smtp_started_transactions{module="submission"} 1',
    'maddy_smtp_smtp_completed_transactions{module="submission"} 1',
    'maddy_smtp_ratelimit_deferred{module="submissions"} 1',
    'maddy_smtp_failed_logins{module="submission"} 1',
    'maddy_smtp_failed_commands{module="smtp",command="DATA",smtp_code="523",smtp_enchcode="5.7.1"} 1',
    'maddy_smtp_failed_commands{module="submissions",command="MAIL",smtp_code="450",smtp_enchcode="4.7.1"} 1',
    'maddy_queue_length{module="queue",location="remote"} 7',
    'madmail_messages_refused_total{via="smtp",reason="encryptionNeeded"} 1',
    'madmail_connections{service="imaps"} 3',
    "# TYPE maddy_smtp_started_transactions counter",
    "# TYPE madmail_messages_accepted_total counter",
  ]) {
    expect(classic.split("\n")).toContain(line);
  }
  const open = exposition(families(figures), "openMetrics");
  expect(open).toEndWith("# EOF\n");
  expect(open).toContain("# TYPE maddy_smtp_started_transactions unknown\n");
  expect(open).toContain("# TYPE madmail_messages_accepted counter\n");
});

test("each line of the page is a comment or a sample, families are whole, and values are escaped", () => {
  const text = exposition(families(figures), "openMetrics");
  const sample = /^[a-z0-9_]+(\{([a-z_]+="[^"\n]*",?)+\})? -?[0-9.e+-]+$/;
  const lines = text.trimEnd().split("\n");
  expect(lines.filter((line) => !line.startsWith("# ") && !sample.test(line))).toEqual([]);
  const names = lines.filter((line) => line.startsWith("# TYPE")).map((line) => line.split(" ")[2]);
  expect(new Set(names).size).toBe(names.length);
  const samples = [{ labels: { a: 'x"\\\ny' }, value: 1 }];
  expect(exposition([{ name: "n", type: "gauge", help: "a\nb", samples }], "classic")).toBe(
    '# HELP n a\\nb\n# TYPE n gauge\nn{a="x\\"\\\\\\ny"} 1\n',
  );
});

test("the listener answers /metrics, /healthz and /readyz, and nothing else", async () => {
  let unready: string | undefined = "starting";
  const server = new MetricsServer({
    listen: [{ host: "127.0.0.1", port: 0 }],
    figures,
    unready: () => unready,
    log: silent,
  });
  await server.start();
  try {
    const base = `http://${server.bound()[0]}`;
    const status = async (path: string, method = "GET") => (await fetch(base + path, { method })).status;
    expect(await status("/readyz")).toBe(503);
    unready = undefined;
    expect(await status("/readyz")).toBe(200);
    expect(await status("/healthz")).toBe(200);
    expect(await status("/")).toBe(404);
    expect(await status("/metrics", "POST")).toBe(405);
    const page = await fetch(`${base}/metrics`, { headers: { accept: "application/openmetrics-text" } });
    expect(page.headers.get("content-type")).toStartWith("application/openmetrics-text");
  } finally {
    await server.stop();
  }
});

test("what listens already is told with the address", async () => {
  const busy = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const server = new MetricsServer({
    listen: [{ host: "127.0.0.1", port: busy.port }],
    figures,
    unready: () => undefined,
    log: silent,
  });
  try {
    expect(server.start()).rejects.toThrow(`127.0.0.1:${busy.port}`);
  } finally {
    busy.stop(true);
  }
});

let dir: string;
let db: Db | undefined;
afterEach(() => {
  if (db === undefined) return;
  closeDatabase(db);
  rmSync(dir, { recursive: true, force: true });
  db = undefined;
});

test("history keeps a day, a week and a month in rings of bounded size", () => {
  dir = mkdtempSync(join(tmpdir(), "madmail-history-"));
  db = openDatabase(join(dir, "madmail.db"));
  db.$client.run("PRAGMA synchronous = OFF");
  const rows = new HistoryRows(db);
  const history = new History(rows, clock);
  const begunSec = clock.nowMs() / 1000;
  const recorder = new HistoryRecorder({ db, rows, figures, clock, log: silent });
  recorder.start();
  const steps = 600;
  for (let i = 0; i < steps; i++) {
    totals.sent += 2;
    if (i % 2 === 0) figures.observer.accepted(10);
    clock.advance(300_000);
  }
  const day = history.read("24h");
  expect(day.stepSec).toBe(300);
  expect(day.points).toHaveLength(288);
  expect(day.points.every(({ sample }) => sample.sent === 2)).toBe(true);
  const week = history.read("7d").points;
  expect(week).toHaveLength(steps / 6);
  expect(week[0]?.startedAtSec).toBe(begunSec);
  expect(week.every(({ sample }) => sample.sent === 12 && sample.queue === 7)).toBe(true);
  expect(week[0]?.sample.deliveryP50Ms).toBeGreaterThan(9);
  const month = history.read("30d").points;
  expect(month).toHaveLength(steps / 24);
  expect(month.reduce((sum, { sample }) => sum + sample.sent, 0)).toBe(2 * steps);
  const [count] = db.$client.query("SELECT count(*) FROM history_samples").values()[0] ?? [];
  expect(count).toBe(288 + steps / 6 + steps / 24);
});

test("a restart in the middle of a step loses nothing of it", () => {
  dir = mkdtempSync(join(tmpdir(), "madmail-history-"));
  db = openDatabase(join(dir, "madmail.db"));
  const rows = new HistoryRows(db);
  for (let i = 0; i < 3; i++) {
    const recorder = new HistoryRecorder({ db, rows, figures, clock, log: silent });
    recorder.start();
    totals.received += 5;
    clock.advance(60_000);
    recorder.stop();
  }
  const points = new History(rows, clock).read("24h").points;
  expect(points.map(({ sample }) => sample.received)).toEqual([15]);
});
