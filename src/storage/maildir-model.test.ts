/** Random work against a simple model: whatever the order of operations and restarts, both agree. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { MaildirFixture } from "./maildir.test-help.ts";
import type { MaildirStore } from "./maildir.ts";
import { alice, deliverTo, faultOf, messageText, seal, textOf } from "./store.test-help.ts";
import { Flag, type Mailbox } from "./store.ts";

interface ModelMessage {
  uid: number;
  text: string;
  flags: number;
}
interface ModelMailbox {
  uidValidity: number;
  messages: ModelMessage[];
}

const names = ["INBOX", "A", "A/B", "C"] as const;
const name = fc.constantFrom(...names);
const flags = fc.constantFrom<number>(Flag.seen, Flag.deleted, Flag.deleted | Flag.flagged, Flag.answered);
/** Picks among the messages there are, by position. */
const picks = fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 4 });

type Step =
  | { do: "deliver"; to: string[]; large: boolean }
  | { do: "append"; to: string; flags: number }
  | { do: "flags"; in: string; picks: number[]; how: "add" | "remove" | "replace"; flags: number }
  | { do: "expunge"; in: string }
  | { do: "copy" | "move"; in: string; to: string; picks: number[] }
  | { do: "create"; in: string }
  | { do: "delete"; in: string }
  | { do: "rename"; in: string; to: string }
  | { do: "restart" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("deliver"),
        to: fc.uniqueArray(name, { minLength: 1 }),
        large: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("append"), to: name, flags }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("flags"),
        in: name,
        picks,
        how: fc.constantFrom("add", "remove", "replace"),
        flags,
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("expunge"), in: name }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("copy", "move"), in: name, to: name, picks }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("create", "delete"), in: name }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("rename"), in: name, to: name }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("restart") }) },
  ) as fc.Arbitrary<Step>,
  { minLength: 1, maxLength: 30 },
);

class Play {
  readonly #fixture: MaildirFixture;
  #store: MaildirStore;
  readonly #model = new Map<string, ModelMailbox>();
  #texts = 0;

  constructor(fixture: MaildirFixture, store: MaildirStore) {
    this.#fixture = fixture;
    this.#store = store;
  }

  async mailbox(of: string): Promise<Mailbox | undefined> {
    const account = await this.#store.account(alice);
    return account.mailboxes().includes(of) ? await account.open(of) : undefined;
  }

  async step(step: Step): Promise<void> {
    switch (step.do) {
      case "deliver": {
        const text = messageText(++this.#texts, step.large ? 70_000 : 5);
        const uids = await Promise.all(step.to.map(async (each) => (await this.mailbox(each))?.uidNext ?? 1));
        await deliverTo(this.#store, text, ...step.to.map((mailbox) => ({ user: alice, mailbox })));
        for (const [index, each] of step.to.entries()) {
          (await this.known(each)).messages.push({ uid: uids[index] ?? 0, text, flags: 0 });
        }
        return;
      }
      case "append": {
        const mailbox = await this.mailbox(step.to);
        if (mailbox === undefined) return;
        const text = messageText(++this.#texts);
        const uid = mailbox.uidNext;
        const message = seal(this.#store, text);
        await mailbox.append(message, { flags: step.flags, keywords: [] });
        message.discard();
        (await this.known(step.to)).messages.push({ uid, text, flags: step.flags });
        return;
      }
      case "flags": {
        const mailbox = await this.mailbox(step.in);
        if (mailbox === undefined) return;
        const chosen = await this.chosen(step.in, step.picks);
        await mailbox.storeFlags(
          chosen.map(({ uid }) => uid),
          step.how,
          step.flags,
        );
        for (const message of chosen) {
          if (step.how === "add") message.flags |= step.flags;
          else if (step.how === "remove") message.flags &= ~step.flags;
          else message.flags = step.flags;
        }
        return;
      }
      case "expunge": {
        const mailbox = await this.mailbox(step.in);
        if (mailbox === undefined) return;
        const known = await this.known(step.in);
        const gone = known.messages.filter((message) => message.flags & Flag.deleted).map(({ uid }) => uid);
        const since = mailbox.highestModseq;
        expect(await mailbox.expunge()).toEqual(gone);
        expect(mailbox.changesSince(since).vanished).toEqual(gone);
        known.messages = known.messages.filter(({ uid }) => !gone.includes(uid));
        return;
      }
      case "copy":
      case "move":
        return await this.transfer(step.do, step.in, step.to, step.picks);
      case "create":
      case "delete":
      case "rename":
        return await this.manage(step);
      case "restart":
        await this.#store.close();
        this.#store = await this.#fixture.open({ fsync: "never" });
        return;
    }
  }

  async transfer(how: "copy" | "move", from: string, to: string, picked: number[]): Promise<void> {
    const [source, target] = [await this.mailbox(from), await this.mailbox(to)];
    if (source === undefined || target === undefined) return;
    const chosen = (await this.chosen(from, picked)).toSorted((a, b) => a.uid - b.uid);
    const next = target.uidNext;
    const result = await source[how](
      chosen.map(({ uid }) => uid),
      target,
    );
    expect(result.from).toEqual(chosen.map(({ uid }) => uid));
    const known = await this.known(to);
    known.messages.push(...chosen.map((message, index) => ({ ...message, uid: next + index })));
    if (how === "copy") return;
    const origin = await this.known(from);
    origin.messages = origin.messages.filter(({ uid }) => !result.from.includes(uid));
  }

  async manage(step: Extract<Step, { do: "create" | "delete" | "rename" }>): Promise<void> {
    const account = await this.#store.account(alice);
    const exists = this.#model.has(step.in) || step.in === "INBOX";
    if (step.do === "create") {
      expect(await faultOf(account.create(step.in))).toBe(exists ? "exists" : "none");
      if (!exists) await this.known(step.in);
      return;
    }
    if (step.do === "delete") {
      expect(await faultOf(account.delete(step.in))).toBe(
        step.in === "INBOX" ? "badName" : exists ? "none" : "nonexistent",
      );
      if (step.in !== "INBOX") this.#model.delete(step.in);
      return;
    }
    const before = new Map(this.#model);
    if ((await faultOf(account.rename(step.in, step.to))) !== "none") return;
    expect(exists && !before.has(step.to) && step.to !== "INBOX").toBe(true);
    if (step.in === "INBOX") {
      const [inbox, target] = [await this.known("INBOX"), await this.known(step.to)];
      target.messages = inbox.messages.map((message, index) => ({ ...message, uid: index + 1 }));
      inbox.messages = [];
      return;
    }
    for (const [each, mailbox] of before) {
      if (each !== step.in && !each.startsWith(`${step.in}/`)) continue;
      this.#model.delete(each);
      this.#model.set(`${step.to}${each.slice(step.in.length)}`, mailbox);
    }
  }

  async known(of: string): Promise<ModelMailbox> {
    const known = this.#model.get(of);
    if (known !== undefined) return known;
    const made = { uidValidity: (await this.mailbox(of))?.uidValidity ?? 0, messages: [] };
    this.#model.set(of, made);
    return made;
  }

  async chosen(of: string, picked: number[]): Promise<ModelMessage[]> {
    const { messages } = await this.known(of);
    return [...new Set(picked)].flatMap((index) => messages[index] ?? []);
  }

  async compare(): Promise<void> {
    const account = await this.#store.account(alice);
    await this.known("INBOX");
    expect(new Set(account.mailboxes())).toEqual(new Set(this.#model.keys()));
    let total = 0;
    for (const [of, { uidValidity, messages }] of this.#model) {
      const mailbox = await account.open(of);
      expect(mailbox.uidValidity).toBe(uidValidity);
      expect(mailbox.messages.map(({ uid, flags: bits }) => [uid, bits])).toEqual(
        messages.map((message) => [message.uid, message.flags]),
      );
      expect(mailbox.uidNext).toBeGreaterThan(messages.at(-1)?.uid ?? 0);
      expect(mailbox.unseenCount).toBe(messages.filter((message) => !(message.flags & Flag.seen)).length);
      expect(mailbox.deletedCount).toBe(messages.filter((message) => message.flags & Flag.deleted).length);
      for (const message of messages) expect(await textOf(mailbox, message.uid)).toBe(message.text);
      total += messages.reduce((sum, { text }) => sum + text.length, 0);
      mailbox.release();
    }
    expect(account.usedBytes).toBe(total);
    expect(await this.#fixture.spoolFiles()).toEqual([]);
  }
}

test("random operations and restarts agree with a model", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (plan) => {
      const fixture = await MaildirFixture.make();
      try {
        const play = new Play(fixture, await fixture.open({ fsync: "never" }));
        for (const step of plan) await play.step(step);
        await play.compare();
        await play.step({ do: "restart" });
        await play.compare();
      } finally {
        await fixture.dispose();
      }
    }),
    { numRuns: 60 },
  );
}, 30_000);
