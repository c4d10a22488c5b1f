/**
 * 250 means kept: the relay is killed and stopped under load, again and again, on one state directory.
 * The points of the kills are random; the seed is printed with a failure.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Relay } from "../support/relay.ts";
import { audit, Ledger, startSender, Watcher } from "./load.ts";

const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 5);
const SENDERS = 6;
const ROUND_TIMEOUT_MS = 60_000;
const seed = Number(process.env["CRASH_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

describe(`the relay under load (CRASH_SEED=${seed})`, () => {
  const random = mulberry32(seed);
  const ledger = new Ledger();
  let relay: Relay;
  let people: string[];
  let senders: string[];
  let watchers: Watcher[];

  beforeAll(async () => {
    relay = await Relay.start({ name: "crash" });
    people = ["keeper01", "keeper02", "eater001", "keeper03"].map((name) => relay.address(name));
    senders = Array.from({ length: SENDERS }, (_, i) => relay.address(`sender0${i}`));
    watchers = people.map((user) => new Watcher(user, { eats: user.startsWith("eater") }));
  });

  afterAll(() => relay?.dispose());

  async function loadUntil(accepted: number) {
    const clients = await Promise.all(watchers.map((watcher) => watcher.connect(relay)));
    const watching = watchers.map((watcher, i) => {
      const client = clients[i];
      return client === undefined ? Promise.resolve() : watcher.watch(client);
    });
    const reached = Promise.withResolvers<void>();
    const goal = ledger.accepted.length + accepted;
    ledger.onAccepted = () => ledger.accepted.length >= goal && reached.resolve();
    const running = await Promise.all(senders.map((user) => startSender(relay, user, people, ledger)));
    // A sender that fails ends the wait, too.
    const ends = Promise.all(running.map((sender) => sender.end));
    await Promise.race([reached.promise, ends]);
    return { ends, watching: Promise.all(watching) };
  }

  for (let round = 1; round <= ROUNDS; round++) {
    test(
      `kill -9, round ${round}: what was answered 250 is there exactly once, whole, under a UID of its own`,
      async () => {
        const load = await loadUntil(10 + Math.floor(random() * 120));
        // Not a wait for something: the kill shall hit any point between two acceptances.
        await Bun.sleep(random() * 8);
        await relay.kill();
        await Promise.all([load.ends, load.watching]);
        await relay.restart();
        expect(await audit(relay, ledger, watchers)).toEqual([]);
      },
      ROUND_TIMEOUT_MS,
    );
  }

  test(
    "SIGTERM: clients are told, nothing is lost, the exit is clean and in time",
    async () => {
      const load = await loadUntil(40);
      const { code, ms } = await relay.stop();
      const ends = await load.ends;
      await load.watching;
      expect(code).toBe(0);
      expect(ms).toBeLessThan(10_000);
      expect(ends).toContain("told421");
      expect(watchers.reduce((sum, watcher) => sum + watcher.byes, 0)).toBeGreaterThan(0);
      await relay.restart();
      expect(await audit(relay, ledger, watchers)).toEqual([]);
      expect(ledger.accepted.length).toBeGreaterThan(40);
    },
    ROUND_TIMEOUT_MS,
  );

  test("a second SIGTERM does no harm, and an idle relay stops at once", async () => {
    if (!relay.isRunning) await relay.restart();
    const stopping = relay.stop();
    relay.signal("SIGTERM");
    const { code, ms } = await stopping;
    expect(code).toBe(0);
    expect(ms).toBeLessThan(3_000);
  });

  test("nothing the relay printed names a user", () => {
    expect(relay.leaks(["crash-"])).toEqual([]);
  });
});

/** A small seeded generator: the same seed gives the same kill points. */
function mulberry32(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
