import { describe, expect, test } from "bun:test";
import { refuse } from "../../core/verdict.ts";
import { replyText } from "./letter.ts";
import {
  address,
  domain,
  greylisted,
  HOUR_MS,
  MINUTE_MS,
  queueWorld,
  refused,
  sent,
  settings,
} from "./queue.test-help.ts";

const dead = domain("dead.test");

test("a message goes out at once, one transfer a domain, and leaves nothing behind", async () => {
  const w = await queueWorld();
  w.send("a@one.test", "b@two.test", "c@one.test");
  await w.settle();
  expect(w.courier.delivered.map(({ recipients }) => recipients)).toEqual([
    [address("a@one.test"), address("c@one.test")],
    [address("b@two.test")],
  ]);
  expect(w.outbox.entries.size).toBe(0);
  expect(w.queue.status()).toMatchObject({ messages: 0, bytes: 0, running: 0, destinations: 0 });
  expect(w.outbox.writes).toBe(0);
});

test("more recipients than a transfer may have go in several", async () => {
  const w = await queueWorld();
  w.send(...Array.from({ length: 250 }, (_, n) => `user${n}@one.test`));
  await w.settle();
  expect(w.courier.delivered.map(({ recipients }) => recipients.length)).toEqual([100, 100, 50]);
});

describe("retrying", () => {
  test("follows the schedule, growing to its largest", async () => {
    const w = await queueWorld();
    w.courier.answers.set(dead, "silence");
    w.send("a@dead.test");
    await w.settle();
    const startMs = w.clock.nowMs();
    const times: number[] = [];
    let asked = w.courier.asked.length;
    for (let minute = 1; minute <= 31; minute++) {
      await w.advance(MINUTE_MS);
      if (w.courier.asked.length > asked) times.push((w.clock.nowMs() - startMs) / MINUTE_MS);
      asked = w.courier.asked.length;
    }
    expect(times).toEqual([1, 3, 7, 15, 23, 31]);
  });

  test("delivers to those who were not served yet only", async () => {
    const w = await queueWorld();
    const slow = address("slow@one.test");
    w.courier.answers.set(domain("one.test"), (each) => (each === slow ? greylisted : sent));
    w.send("fast@one.test", "slow@one.test");
    await w.settle();
    w.courier.answers.set(domain("one.test"), sent);
    await w.advance(2 * MINUTE_MS);
    expect(w.courier.delivered.map(({ recipients }) => recipients)).toEqual([
      [address("fast@one.test")],
      [slow],
    ]);
    expect(w.outbox.entries.size).toBe(0);
  });

  test("probes a silent server with one message, and lets the rest follow when it answers", async () => {
    const w = await queueWorld();
    w.courier.answers.set(dead, "silence");
    for (let n = 0; n < 20; n++) w.send(`user${n}@dead.test`);
    await w.settle();
    expect(w.courier.asked).toHaveLength(1);
    expect(w.outbox.writes).toBe(1);
    await w.advance(MINUTE_MS);
    expect(w.courier.asked).toHaveLength(2);
    w.courier.answers.set(dead, sent);
    await w.advance(2 * MINUTE_MS);
    expect(w.courier.delivered.map(({ recipients }) => recipients[0])).toEqual(
      Array.from({ length: 20 }, (_, n) => address(`user${n}@dead.test`)),
    );
    expect(w.courier.perDomainMax).toBe(2);
  });

  test("new mail makes a silent server worth a try, at most once a minute", async () => {
    const w = await queueWorld();
    w.courier.answers.set(dead, "silence");
    w.send("a@dead.test");
    await w.settle();
    for (let minute = 0; minute < 8; minute++) await w.advance(MINUTE_MS);
    expect(w.courier.asked).toHaveLength(4);
    for (const name of ["b", "c"]) {
      w.send(`${name}@dead.test`);
      await w.settle();
    }
    expect(w.courier.asked).toHaveLength(5);
    w.courier.answers.set(dead, sent);
    await w.advance(MINUTE_MS);
    w.send("d@dead.test");
    await w.settle();
    expect(w.outbox.entries.size).toBe(0);
  });

  test("mail from a silent server brings it back at once", async () => {
    const w = await queueWorld();
    w.courier.answers.set(dead, "silence");
    w.send("a@dead.test");
    for (let minute = 0; minute < 9; minute++) await w.advance(MINUTE_MS);
    w.courier.answers.set(dead, sent);
    w.queue.heardFrom(dead);
    await w.settle();
    expect(w.outbox.entries.size).toBe(0);
  });

  test("a message refused for now does not hold up those behind it", async () => {
    const w = await queueWorld();
    const odd = address("odd@one.test");
    w.courier.answers.set(domain("one.test"), (each) => (each === odd ? greylisted : sent));
    w.send("odd@one.test");
    w.send("even@one.test");
    await w.settle();
    expect(w.courier.delivered).toEqual([
      { domain: domain("one.test"), recipients: [address("even@one.test")] },
    ]);
    expect(w.queue.status().unreachable).toBe(0);
  });

  test("a server that is heard from while it stands in line with silent ones goes at once", async () => {
    const w = await queueWorld({ settings: { concurrency: 4 } });
    for (let n = 0; n < 6; n++) {
      w.courier.answers.set(domain(`h${n}.test`), "silence");
      w.send(`a@h${n}.test`);
    }
    await w.settle();
    for (let n = 0; n < 6; n++) w.courier.answers.set(domain(`h${n}.test`), "hang");
    w.courier.answers.set(domain("h5.test"), sent);
    // One slot is all that silent servers have: the others wait in line for it.
    await w.advance(MINUTE_MS + 1);
    expect(w.courier.active).toBe(1);
    w.queue.heardFrom(domain("h5.test"));
    await w.settle();
    expect(w.courier.delivered).toHaveLength(1);
  });
});

describe("giving up", () => {
  test("a refusal is told to the sender, in the peer's words, and nobody else waits for it", async () => {
    const w = await queueWorld();
    const gone = address("gone@one.test");
    w.courier.answers.set(domain("one.test"), (each) => (each === gone ? refused : sent));
    w.send("here@one.test", "gone@one.test");
    await w.settle();
    expect(w.reports).toEqual([
      {
        to: address("alice@relay.test"),
        failures: [{ recipient: gone, reply: { code: 550, enhanced: "5.1.1", text: "No such user" } }],
      },
    ]);
    expect(w.outbox.entries.size).toBe(0);
  });

  test("what a server never took is given up after its lifetime, with the last answer", async () => {
    const w = await queueWorld();
    w.courier.answers.set(dead, "silence");
    w.send("a@dead.test");
    w.send("b@dead.test");
    for (let minute = 0; minute < 119; minute++) await w.advance(MINUTE_MS);
    expect(w.reports).toEqual([]);
    for (let minute = 0; minute < 9; minute++) await w.advance(MINUTE_MS);
    expect(w.reports.flatMap(({ failures }) => failures.map((each) => each.recipient)).sort()).toEqual([
      address("a@dead.test"),
      address("b@dead.test"),
    ]);
    const [first] = w.reports.flatMap(({ failures }) => failures);
    const reply = first !== undefined && "reply" in first ? replyText(first.reply) : "";
    expect(reply).toBe("554 5.4.7 Not delivered within 2 hours; last answer: 421 4.4.1 No answer");
    expect(w.outbox.entries.size).toBe(0);
    expect(w.queue.status().messages).toBe(0);
  });

  test("a report that can't be stored waits, and nobody gets the message again meanwhile", async () => {
    const w = await queueWorld();
    const gone = address("gone@one.test");
    w.courier.answers.set(domain("one.test"), (each) => (each === gone ? refused : sent));
    w.rules.reportFails = true;
    w.send("here@one.test", "gone@one.test");
    await w.settle();
    expect(w.outbox.entries.size).toBe(1);
    expect(w.courier.asked).toHaveLength(1);
    w.rules.reportFails = false;
    await w.advance(MINUTE_MS);
    expect(w.reports).toHaveLength(1);
    expect(w.courier.asked).toHaveLength(1);
    expect(w.outbox.entries.size).toBe(0);
  });

  test("a server that the operator shuts out meanwhile is not tried any more", async () => {
    const w = await queueWorld();
    w.courier.answers.set(dead, "silence");
    w.send("a@dead.test");
    await w.settle();
    w.rules.judge = () => refuse("recipientRefused");
    await w.advance(MINUTE_MS);
    expect(w.courier.asked).toHaveLength(1);
    expect(w.reports).toHaveLength(1);
    expect(w.outbox.entries.size).toBe(0);
  });
});

describe("many destinations", () => {
  test("attempts stay within their bounds, altogether and per domain", async () => {
    const w = await queueWorld();
    const gate = Promise.withResolvers<void>();
    w.courier.hold = gate.promise;
    for (let n = 0; n < 200; n++) w.send(`a@d${n % 40}.test`);
    await w.settle();
    // Two of sixteen stay free for servers that are known to answer.
    expect(w.courier.active).toBe(14);
    gate.resolve();
    w.courier.hold = undefined;
    await w.settle();
    expect(w.courier.delivered).toHaveLength(200);
    expect(w.courier.activeMax).toBeLessThanOrEqual(16);
    expect(w.courier.perDomainMax).toBeLessThanOrEqual(2);
  });

  test("known servers are served at once though all others hang", async () => {
    const w = await queueWorld();
    w.send("a@good.test");
    await w.settle();
    for (let n = 0; n < 100; n++) {
      w.courier.answers.set(domain(`h${n}.test`), "hang");
      w.send(`a@h${n}.test`);
    }
    await w.settle();
    w.send("b@good.test");
    await w.settle();
    expect(w.courier.delivered).toHaveLength(2);
  });

  test("a new server is served soon though more hang than there are slots", async () => {
    const w = await queueWorld();
    for (let n = 0; n < 40; n++) {
      w.courier.answers.set(domain(`h${n}.test`), "hang");
      w.send(`a@h${n}.test`);
    }
    w.send("a@new.test");
    await w.settle();
    expect(w.courier.delivered).toEqual([]);
    for (let n = 0; n < 4; n++) await w.advance(30_000);
    expect(w.courier.delivered).toHaveLength(1);
  });
});

describe("stop and start", () => {
  test("what waits and what is under way is there after a restart, with its count of tries", async () => {
    const w = await queueWorld();
    w.courier.answers.set(dead, "silence");
    w.courier.answers.set(domain("slow.test"), "hang");
    w.send("a@dead.test");
    w.send("b@slow.test");
    await w.settle();
    const stopping = w.queue.stop();
    w.clock.advance(3000);
    await stopping;
    expect(w.outbox.entries.size).toBe(2);
    const again = await queueWorld({ outbox: w.outbox, clock: w.clock });
    expect(again.queue.list(10).map(({ tries }) => tries)).toEqual([1]);
    await again.advance(MINUTE_MS);
    expect(again.courier.delivered).toHaveLength(2);
    expect(again.outbox.entries.size).toBe(0);
  });

  test("nothing is started after a stop", async () => {
    const w = await queueWorld();
    await w.queue.stop();
    w.send("a@one.test");
    await w.advance(HOUR_MS);
    expect(w.courier.asked).toEqual([]);
    expect(w.outbox.entries.size).toBe(1);
  });
});

describe("the operator", () => {
  test("lists, shows, retries and drops", async () => {
    const w = await queueWorld();
    w.courier.answers.set(dead, "silence");
    w.send("a@dead.test");
    w.send("b@dead.test");
    await w.settle();
    const [first, second] = w.queue.list(10);
    if (first === undefined || second === undefined) throw new Error("two entries are expected");
    expect(w.queue.list(1)).toHaveLength(1);
    expect(w.queue.destinations()).toEqual([
      { domain: dead, messages: 2, standing: "suspect", retryAtMs: w.clock.nowMs() + MINUTE_MS },
    ]);
    expect(w.queue.list(10, domain("other.test"))).toEqual([]);
    expect(first).toMatchObject({ domain: dead, tries: 1, state: "waiting" });
    expect((await w.queue.show(first.id))?.letter.lastError).toBe("421 4.4.1 No answer");
    expect(await w.queue.show("none.0")).toBeUndefined();
    expect(w.queue.drop({ id: first.id })).toBe(1);
    expect([...w.outbox.entries.keys()]).toEqual([second.id]);
    w.courier.answers.set(dead, sent);
    expect(w.queue.retry("all")).toBe(1);
    await w.settle();
    expect(w.outbox.entries.size).toBe(0);
    expect(w.queue.retry({ id: second.id })).toBe(0);
  });

  test("drops what is under way, and it does not come back", async () => {
    const w = await queueWorld();
    w.courier.answers.set(dead, "hang");
    w.send("a@dead.test");
    await w.settle();
    expect(w.queue.drop({ domain: dead })).toBe(1);
    await w.settle();
    expect(w.outbox.entries.size).toBe(0);
    expect(w.queue.status()).toMatchObject({ messages: 0, running: 0 });
    expect(w.reports).toEqual([]);
  });
});

test("a disk that takes no notes makes nobody get a message twice", async () => {
  const w = await queueWorld();
  const slow = address("slow@one.test");
  w.courier.answers.set(domain("one.test"), (each) => (each === slow ? greylisted : sent));
  w.outbox.broken = true;
  w.send("fast@one.test", "slow@one.test");
  await w.settle();
  w.courier.answers.set(domain("one.test"), sent);
  await w.advance(2 * MINUTE_MS);
  expect(w.courier.delivered.map(({ recipients }) => recipients)).toEqual([
    [address("fast@one.test")],
    [slow],
  ]);
});

test("a domain, and the queue as a whole, have room for so many", async () => {
  const w = await queueWorld({ settings: { perDestinationMax: 2, messagesMax: 3 } });
  w.courier.answers.set(dead, "silence");
  for (const name of ["a", "b"]) w.send(`${name}@dead.test`);
  await w.settle();
  expect(w.queue.hasRoom(dead)).toBe(false);
  expect(w.queue.hasRoom(domain("one.test"))).toBe(true);
  w.courier.answers.set(domain("one.test"), "silence");
  w.send("a@one.test");
  await w.settle();
  expect(w.queue.hasRoom(domain("two.test"))).toBe(false);
  w.queue.reconfigure({ ...settings, messagesMax: 4 });
  expect(w.queue.hasRoom(domain("two.test"))).toBe(true);
});
