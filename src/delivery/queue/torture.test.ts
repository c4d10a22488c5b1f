/** Ten thousand messages to five hundred domains, of which a hundred hang and a hundred refuse. */
import { expect, test } from "bun:test";
import { domain, queueWorld, refused } from "./queue.test-help.ts";

const MESSAGES = 10_000;
const DOMAINS = 500;
const BAD = 100;

test("the healthy have all of theirs within a minute of the hanging ones' time, within bounds", async () => {
  const w = await queueWorld({ settings: { concurrency: 64, perDestinationMax: 10_000 } });
  for (let n = 0; n < BAD; n++) {
    w.courier.answers.set(domain(`d${n * 5}.test`), "hang");
    w.courier.answers.set(domain(`d${n * 5 + 1}.test`), refused);
  }
  for (let n = 0; n < MESSAGES; n++) w.send(`user${n}@d${n % DOMAINS}.test`);
  const healthy = (MESSAGES / DOMAINS) * (DOMAINS - 2 * BAD);
  const startMs = w.clock.nowMs();
  while (w.courier.delivered.length < healthy && w.clock.nowMs() - startMs < 600_000) await w.advance(1000);
  expect(w.courier.delivered).toHaveLength(healthy);
  expect(w.clock.nowMs() - startMs).toBeLessThanOrEqual(60_000);
  expect(w.courier.activeMax).toBeLessThanOrEqual(64);
  expect(w.courier.perDomainMax).toBeLessThanOrEqual(2);
  while (w.reports.length < (MESSAGES / DOMAINS) * BAD) await w.advance(1000);
  expect(w.outbox.entries.size).toBe((MESSAGES / DOMAINS) * BAD);
  while (w.queue.status().unreachable < BAD && w.clock.nowMs() - startMs < 600_000) await w.advance(1000);
  expect(w.queue.status()).toMatchObject({ destinations: BAD, unreachable: BAD });
  // Once they are known to hang, they are probed one message at a time.
  expect([...w.courier.activeByDomain.values()].every((count) => count === 1)).toBe(true);
  const asked = w.courier.asked.length;
  await w.advance(60_000);
  expect(w.courier.asked.length - asked).toBeLessThanOrEqual(BAD);
  const stopping = w.queue.stop();
  w.clock.advance(3000);
  await stopping;
  expect(w.outbox.entries.size).toBe((MESSAGES / DOMAINS) * BAD);
}, 30_000);
