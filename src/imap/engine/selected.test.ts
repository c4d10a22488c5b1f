/** A client that believes what it is told must end up with the server's view, whatever others do. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { LocalChangeHub } from "../../core/changes.ts";
import { FakeAccount } from "../fake-store.test-help.ts";
import { address } from "../fake-peer.test-help.ts";
import { Selected } from "./selected.ts";

type Action =
  | { do: "deliver" }
  | { do: "drop"; at: number }
  | { do: "flag"; at: number; bits: number }
  | { do: "news"; expunges: boolean };

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.constant<Action>({ do: "deliver" }),
  fc.record({ do: fc.constant("drop" as const), at: fc.nat(20) }),
  fc.record({ do: fc.constant("flag" as const), at: fc.nat(20), bits: fc.integer({ min: 1, max: 31 }) }),
  fc.record({ do: fc.constant("news" as const), expunges: fc.boolean() }),
);

/** What the client knows of each message, by sequence number. */
class Client {
  uids: number[];
  readonly flags = new Map<number, string>();

  constructor(uids: readonly number[]) {
    this.uids = [...uids];
  }

  hear(text: string, uidOf: (sequence: number) => number): void {
    for (const line of text.split("\r\n").filter((line) => line !== "")) {
      const [, number = "", word = ""] = /^\* (\S+) (\S+)/.exec(line) ?? [];
      if (word === "EXPUNGE") this.uids.splice(Number(number) - 1, 1);
      else if (word === "EXISTS") {
        while (this.uids.length < Number(number)) this.uids.push(uidOf(this.uids.length + 1));
      } else if (word === "FETCH") {
        const [, uid = "", flags = ""] = /UID (\d+) FLAGS \((.*)\)/.exec(line) ?? [];
        expect(this.uids[Number(number) - 1]).toBe(Number(uid));
        this.flags.set(Number(uid), flags);
      }
    }
  }
}

test("the news keep a client's view right", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
      const box = new FakeAccount(address("a@b.example"), new LocalChangeHub()).box("INBOX");
      box.add("one");
      box.add("two");
      const selected = new Selected(box, false);
      const client = new Client(box.messages.map(({ uid }) => uid));
      const told = (expunges: boolean) => {
        const before = client.uids.length;
        const text = selected.news({ expunges, qresync: false, condstore: false });
        client.hear(text, (sequence) => selected.uidAt(sequence));
        if (!expunges) expect(client.uids.length).toBeGreaterThanOrEqual(before);
      };
      for (const step of actions) {
        const uid = box.messages[("at" in step ? step.at : 0) % Math.max(1, box.messages.length)]?.uid ?? 0;
        if (step.do === "deliver") box.add("more");
        else if (step.do === "drop") box.drop(uid === 0 ? [] : [uid]);
        else if (step.do === "flag") await box.storeFlags([uid], "replace", step.bits);
        else told(step.expunges);
      }
      told(true);
      expect(client.uids).toEqual(box.messages.map(({ uid }) => uid));
      expect(selected.news({ expunges: true, qresync: false, condstore: false })).toBe("");
    }),
    { numRuns: 300 },
  );
});

test("messages that become visible below UIDNEXT are announced", () => {
  const box = new FakeAccount(address("a@b.example"), new LocalChangeHub()).box("INBOX");
  box.add("one");
  // UIDs are drawn ahead of what is visible.
  box.uidNext = 10;
  const selected = new Selected(box, false);
  box.uidNext = 2;
  box.add("two");
  box.uidNext = 10;
  expect(selected.news({ expunges: true, qresync: false, condstore: false })).toBe("* 2 EXISTS\r\n");
});
