/**
 * 250 means kept, for mail to other servers too: the relay is killed under load again and again, and each recipient
 * elsewhere gets each accepted message once; twice at most when the kill fell between a transfer and its record.
 * The relay runs from source here, because it needs a courier of the test's own.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Relay, runMadmail } from "../support/relay.ts";
import { SmtpClient } from "../support/smtp-client.ts";
import { Ledger, startSender } from "./load.ts";

const ROUNDS = 4;
const SENDERS = 3;
const TIMEOUT_MS = 60_000;
const DRAIN_TIMEOUT_MS = 20_000;
const seed = Number(process.env["CRASH_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const remote = ["a@fast.test", "b@fast.test", "c@slow.test", "d@two.test", "x@dead.test"];

interface QueueStatus {
  messages: number;
  destinations: { domain: string; messages: number }[];
}

describe(`mail to other servers under load (CRASH_SEED=${seed})`, () => {
  const ledger = new Ledger();
  let relay: Relay;
  let people: string[];
  let senders: string[];

  beforeAll(async () => {
    const program = fileURLToPath(import.meta.resolve("../support/courier-relay.ts"));
    relay = await Relay.start({ name: "queue-crash", command: [process.execPath, program] });
    const keeper = relay.address("keeper01");
    people = [keeper, ...remote];
    const smtp = await SmtpClient.open({ port: relay.ports.submissions, tls: true });
    await smtp.auth(keeper, "a-long-random-password-1");
    await smtp.quit();
    senders = Array.from({ length: SENDERS }, (_, i) => relay.address(`qsender0${i}`));
  });

  afterAll(() => relay?.dispose());

  /** `<Message-ID> <recipient>` → the runs in which it was transferred. */
  function transfers(): Map<string, string[]> {
    const file = join(relay.stateDir, "transfers.log");
    const found = new Map<string, string[]>();
    if (!existsSync(file)) return found;
    for (const line of readFileSync(file, "utf8").trim().split("\n")) {
      const [run = "", id = "", recipient = ""] = line.split(" ");
      const key = `${id} ${recipient}`;
      found.set(key, [...(found.get(key) ?? []), run]);
    }
    return found;
  }

  function wanted(): string[] {
    return ledger.accepted.flatMap(({ messageId, to }) =>
      to
        .filter((each) => remote.includes(each) && !each.includes("dead"))
        .map((each) => `<${messageId}> ${each}`),
    );
  }

  const where = () => ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir];

  async function queue(...args: string[]): Promise<unknown> {
    const result = await runMadmail(["queue", ...args, ...where(), "--json"]);
    expect(result.code).toBe(0);
    return (JSON.parse(result.output) as { data: unknown }).data;
  }

  /** Waits until everything that can leave has left. */
  async function drained(): Promise<void> {
    const endsMs = performance.now() + DRAIN_TIMEOUT_MS;
    for (;;) {
      const { destinations } = (await queue("status")) as QueueStatus;
      if (destinations.every(({ domain }) => domain === "dead.test")) return;
      if (performance.now() > endsMs) throw new Error(`still waiting: ${JSON.stringify(destinations)}`);
      await Bun.sleep(50);
    }
  }

  for (let round = 1; round <= ROUNDS; round++) {
    test(
      `kill -9, round ${round}`,
      async () => {
        const reached = Promise.withResolvers<void>();
        const goal = ledger.accepted.length + 10 + ((seed >>> round) % 40);
        ledger.onAccepted = () => ledger.accepted.length >= goal && reached.resolve();
        const running = await Promise.all(senders.map((user) => startSender(relay, user, people, ledger)));
        const ends = Promise.all(running.map((sender) => sender.end));
        await Promise.race([reached.promise, ends]);
        await relay.kill();
        await ends;
        await relay.restart();
        expect(ledger.accepted.length).toBeGreaterThanOrEqual(goal);
      },
      TIMEOUT_MS,
    );
  }

  test(
    "every accepted message reached every recipient who can be reached, once",
    async () => {
      await drained();
      const found = transfers();
      expect(wanted().filter((key) => !found.has(key))).toEqual([]);
      const twice = [...found.values()].filter((runs) => runs.length > 1);
      // Never twice by one process; and a kill catches a transfer before its record very rarely.
      expect(twice.filter((runs) => new Set(runs).size < runs.length)).toEqual([]);
      expect(twice.length).toBeLessThanOrEqual(ROUNDS);
    },
    TIMEOUT_MS,
  );

  test(
    "what can't be delivered waits, and the compiled command line steers it, with the relay running or not",
    async () => {
      const dead = (list: readonly { to: string[] }[]) => list.filter(({ to }) => to.includes("x@dead.test"));
      const atLeast = dead(ledger.accepted).length;
      const { messages } = (await queue("status")) as QueueStatus;
      expect(messages).toBeGreaterThanOrEqual(atLeast);
      expect(messages).toBeLessThanOrEqual(atLeast + dead(ledger.unanswered).length);
      const { entries } = (await queue("list", "--limit", "2")) as { entries: { id: string }[] };
      const [first, second] = entries.map(({ id }) => id);
      if (first === undefined || second === undefined) throw new Error("two entries are expected");
      expect(await queue("show", first)).toMatchObject({ id: first, recipients: ["x@dead.test"] });
      expect(await queue("retry", "dead.test")).toEqual({ count: messages });
      expect(await queue("remove", first, "--yes")).toEqual({ count: 1 });
      await relay.stop();
      expect(await queue("remove", second, "--yes")).toEqual({ count: 1 });
      expect(await queue("status")).toMatchObject({ messages: messages - 2 });
      await relay.restart();
      expect(await queue("purge", "--yes")).toEqual({ count: messages - 2 });
      expect(await queue("status")).toMatchObject({ messages: 0 });
      const again = await runMadmail(["queue", "remove", first, "--yes", ...where()]);
      expect(again).toMatchObject({ code: 1, output: `madmail: nothing in the queue matches ${first}\n` });
    },
    TIMEOUT_MS,
  );

  test("nothing the relay printed names a user or a peer's user", () => {
    expect(relay.leaks(["crash-", ...remote])).toEqual([]);
  });
});
