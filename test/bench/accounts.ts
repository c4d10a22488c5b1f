/**
 * What an operator waits for with ten thousand accounts, none of them in memory: through the control socket, as commands
 * do. Prints its own lines; budget: 100 ms each.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ControlServer, controlCaller } from "../../src/app/control.ts";
import { openGround } from "../../src/app/ground.ts";
import { createSurvey } from "../../src/app/survey.ts";
import { Supervisor } from "../../src/app/supervisor.ts";
import { resolveConfig } from "../../src/config/config.ts";
import { configSchema } from "../../src/config/schema.ts";
import type { Address } from "../../src/core/address.ts";
import { systemClock } from "../../src/core/clock.ts";
import { inTransaction } from "../../src/db/open.ts";
import type { Log } from "../../src/log/events.ts";
import { Operations } from "../../src/operations/operations.ts";

const ACCOUNTS = 10_000;
const MESSAGES = 5;
const TRIES = 15;
const BUDGET_MS = 100;

const directory = mkdtempSync(join(tmpdir(), "madmail-bench-accounts-"));
const config = resolveConfig(configSchema.parse({ domains: ["relay.test"], state_dir: directory }));
const log: Log = { emit: () => undefined, counts: () => new Map() };

try {
  makeMail();
  await measure("after a crash: counted from the directories");
  await measure("after a clean stop: from its file");
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function measure(what: string): Promise<void> {
  const supervisor = new Supervisor(log);
  const startedAt = performance.now();
  const ground = await openGround({ config: () => config, clock: systemClock, log, supervisor });
  const opened = performance.now() - startedAt;
  if (ground.state.accounts.size === 0) {
    inTransaction(ground.db, () => {
      for (const user of users()) ground.state.accounts.create(user, { hash: "x", loggedIn: true });
    });
  }
  await ground.store.swept();
  console.log(
    `${what}: open ${opened.toFixed(0)} ms, all known after ${(performance.now() - startedAt).toFixed(0)} ms`,
  );
  const operations = new Operations({
    ...ground,
    fileConfig: () => config,
    accountLink: () => "",
    inviteLink: (token) => token,
    survey: createSurvey({ config: () => config }),
    live: undefined,
  });
  const server = new ControlServer(directory, operations, log);
  server.start();
  supervisor.onStop(() => server.stop());
  const caller = controlCaller(directory);
  await time("accounts.status", () => caller.call("accounts.status", {}));
  await time("accounts.list, the first hundred", () => caller.call("accounts.list", {}));
  await time("accounts.list, fullest first", () =>
    caller.call("accounts.list", { sort: "used", descending: true }),
  );
  await time("accounts.list, a search", () => caller.call("accounts.list", { search: "user99" }));
  await time("accounts.list, all of them", () => caller.call("accounts.list", { limit: ACCOUNTS }));
  await time("accounts.info", () => caller.call("accounts.info", { user: "user77" }));
  await time("quota.summary", () => caller.call("quota.summary", {}));
  console.log(`  indexes in memory then: ${ground.store.residentAccounts}`);
  await supervisor.stop();
}

async function time(what: string, work: () => Promise<unknown>): Promise<void> {
  const times: number[] = [];
  const before = process.cpuUsage();
  for (let i = 0; i < TRIES; i++) {
    const startedAt = performance.now();
    await work();
    times.push(performance.now() - startedAt);
  }
  const { user, system } = process.cpuUsage(before);
  const cpuMs = (user + system) / 1000 / TRIES;
  times.sort((a, b) => a - b);
  const [p50 = 0, worst = 0] = [times[Math.floor(TRIES / 2)], times.at(-1)];
  const verdict = p50 <= BUDGET_MS ? "" : `  OVER ${BUDGET_MS} ms`;
  console.log(
    `  ${what.padEnd(36)} p50 ${p50.toFixed(1)} ms, worst ${worst.toFixed(1)} ms, CPU ${cpuMs.toFixed(1)} ms${verdict}`,
  );
}

function users(): Address[] {
  return Array.from({ length: ACCOUNTS }, (_, n) => `user${n}@relay.test` as Address);
}

function makeMail(): void {
  for (const [n, user] of users().entries()) {
    const maildir = join(directory, "mail", user, "Maildir");
    for (const part of ["tmp", "new", "cur"]) mkdirSync(join(maildir, part), { recursive: true });
    const size = 10 + (n % 90);
    for (let uid = 1; uid <= MESSAGES; uid++) {
      const name = `1700000000.V1700000000Rabc.${n}Q${uid}.host,S=${size},U=${uid}`;
      writeFileSync(join(maildir, "new", name), "x".repeat(size));
    }
    writeFileSync(join(maildir, "madmail-uid"), `1 V1700000000 N${MESSAGES + 1} L0\n`);
  }
}
