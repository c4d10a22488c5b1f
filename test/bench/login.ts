/**
 * What logins cost without a network: first ones, first after a start, remembered ones; and filling the books.
 * Run: `bun test/bench/login.ts [accounts]`
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HashSlots } from "../../src/auth/hash-slots.ts";
import { Login } from "../../src/auth/login.ts";
import { Revocations } from "../../src/auth/revocations.ts";
import { resolveConfig } from "../../src/config/config.ts";
import { configSchema } from "../../src/config/schema.ts";
import type { Address } from "../../src/core/address.ts";
import { systemClock } from "../../src/core/clock.ts";
import { closeDatabase, type Db, inTransaction, openDatabase } from "../../src/db/open.ts";
import type { Log } from "../../src/log/events.ts";
import { HotState } from "../../src/state/hot-state.ts";

const ACCOUNTS = Number(process.argv[2] ?? 10_000);
const FIRST_LOGINS = 300;
const CACHED_LOGINS = 200_000;

const folder = mkdtempSync(join(tmpdir(), "madmail-bench-"));
const path = join(folder, "bench.db");
const config = resolveConfig(configSchema.parse({ domains: ["example.org"], state_dir: folder }));
const log: Log = {
  emit(event) {
    if (event.kind === "internalFault") throw event.error;
  },
  counts: () => new Map(),
};
const password = "a long and random password";
const user = (i: number) => `user${String(i).padStart(6, "0")}@example.org` as Address;

async function boot(db: Db) {
  const state = new HotState({ db, config: () => config, clock: systemClock, log });
  const startedAtMs = performance.now();
  await state.start();
  const hydrateMs = performance.now() - startedAtMs;
  const revocations = new Revocations();
  const slots = new HashSlots();
  const login = new Login({ state, config: () => config, clock: systemClock, log, slots, revocations });
  return { state, login, hydrateMs };
}

async function measure(name: string, times: number, work: () => Promise<void>): Promise<void> {
  const startedAtMs = performance.now();
  const cpu = process.cpuUsage();
  await work();
  const tookMs = performance.now() - startedAtMs;
  const { user: userUs, system } = process.cpuUsage(cpu);
  const perSecond = Math.round((times / tookMs) * 1000);
  const cpuUs = ((userUs + system) / times).toFixed(1);
  console.log(`${name.padEnd(44)} ${String(perSecond).padStart(9)}/s   ${cpuUs} µs CPU each`);
}

async function enter(login: Login, i: number): Promise<void> {
  const result = await login.login({ username: user(i), password, peerAddress: "192.0.2.1" });
  if (!result.ok) throw new Error(`login ${i}: ${result.why}`);
}

try {
  let db = openDatabase(path);
  let relay = await boot(db);
  await measure("first logins (account made), all at once", FIRST_LOGINS, async () => {
    await Promise.all(Array.from({ length: FIRST_LOGINS }, (_, i) => enter(relay.login, i)));
  });
  await measure("remembered logins, one after another", CACHED_LOGINS, async () => {
    for (let i = 0; i < CACHED_LOGINS; i++) await enter(relay.login, i % FIRST_LOGINS);
  });
  const hash = relay.state.accounts.get(user(0))?.hash ?? "";
  inTransaction(db, () => {
    for (let i = FIRST_LOGINS; i < ACCOUNTS; i++)
      relay.state.accounts.create(user(i), { hash, loggedIn: true });
  });
  await relay.state.stop();
  closeDatabase(db);

  Bun.gc(true);
  const rssBefore = process.memoryUsage().rss;
  const openedAtMs = performance.now();
  db = openDatabase(path);
  const openMs = performance.now() - openedAtMs;
  relay = await boot(db);
  const rssMiB = ((process.memoryUsage().rss - rssBefore) / 2 ** 20).toFixed(1);
  const { hydrateMs } = relay;
  console.log(
    `${relay.state.accounts.size} accounts: open ${openMs.toFixed(1)} ms, hydrate ${hydrateMs.toFixed(1)} ms, resident +${rssMiB} MiB`,
  );
  await measure("first after a start (known, hash verified)", FIRST_LOGINS, async () => {
    await Promise.all(Array.from({ length: FIRST_LOGINS }, (_, i) => enter(relay.login, i)));
  });
  await relay.state.stop();
  closeDatabase(db);
} finally {
  rmSync(folder, { recursive: true });
}
