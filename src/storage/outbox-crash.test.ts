/** Crashes and failing disks on the way into the outbox: local copies and queue together, or nothing. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, truncateSync, writeFileSync } from "node:fs";
import { errno, Fuse, hookedFiles } from "./files.test-help.ts";
import type { Files } from "./files.ts";
import { MaildirFixture } from "./maildir.test-help.ts";
import {
  alice,
  faultOf,
  inboxOf,
  messageText,
  outboxText,
  queuedIn,
  seal,
  textOf,
  uidsOf,
} from "./store.test-help.ts";
import type { MailStore } from "./store.ts";

const SCENES_TIMEOUT_MS = 60_000;
const toAlice = { user: alice, mailbox: "INBOX" };
let fixture: MaildirFixture;

beforeEach(async () => {
  fixture = await MaildirFixture.make();
});
afterEach(async () => {
  await fixture.dispose();
});

async function send(store: MailStore, n: number, bytes: number, places: readonly string[]): Promise<void> {
  const message = seal(store, messageText(n, bytes));
  try {
    await store.deliver(message, [toAlice], { id: `p-${n}`, notes: places });
  } finally {
    message.discard();
  }
}

const queueFiles = () => readdirSync(`${fixture.directory}/queue`).sort();

/** What the outbox and alice's inbox hold, by message number. */
async function found(store: MailStore): Promise<{ queued: string[]; local: string[] }> {
  const queued: string[] = [];
  for (const { id } of await queuedIn(store)) queued.push(`${id} ${(await outboxText(store, id)) ?? ""}`);
  const inbox = await inboxOf(store, alice);
  const local = await Promise.all(uidsOf(inbox).map(async (uid) => (await textOf(inbox, uid)) ?? ""));
  return { queued, local };
}

describe.each([
  ["in memory", 20],
  ["in a spool file", 100_000],
])("a message %s", (_, bytes) => {
  /** Sends two messages with a fuse at each call in turn. */
  async function atEachCall(
    code: string,
    only: boolean,
    check: (done: number[], failed: keyof Files | undefined) => Promise<void>,
  ): Promise<number> {
    for (let n = 1; ; n++) {
      await fixture.dispose();
      fixture = await MaildirFixture.make();
      const fuse = new Fuse(n, code, only);
      const store = fixture.unstarted({ files: fuse.files });
      const done: number[] = [];
      await faultOf(
        (async () => {
          await store.start();
          for (const each of [1, 2]) {
            await send(store, each, bytes, ["x", "y"]);
            done.push(each);
          }
        })(),
      );
      if (fuse.failed === undefined) return n;
      await check(done, fuse.failed);
    }
  }

  test(
    "is there whole or not at all after a crash at each call, and what was accepted is there",
    async () => {
      const calls = await atEachCall("EIO", false, async (done) => {
        const { queued, local } = await found(await fixture.crashed({ fsync: "never" }));
        for (const n of done) {
          expect(local.filter((text) => text === messageText(n, bytes))).toHaveLength(1);
          for (const place of [0, 1]) expect(queued).toContain(`p-${n}.${place} ${messageText(n, bytes)}`);
        }
        expect(new Set(queued).size).toBe(queued.length);
        for (const each of queued) {
          const n = each.startsWith("p-1.") ? 1 : 2;
          expect(each.slice(6)).toBe(messageText(n, bytes));
        }
      });
      expect(calls).toBeGreaterThan(10);
    },
    SCENES_TIMEOUT_MS,
  );

  test(
    "that was refused for one failing call left no trace, neither here nor there",
    async () => {
      await atEachCall("ENOSPC", true, async (done, failed) => {
        if (failed === "unlink") return;
        const { queued, local } = await found(await fixture.crashed({ fsync: "never" }));
        expect(local).toEqual(done.map((n) => messageText(n, bytes)));
        expect(queued).toHaveLength(done.length * 2);
      });
    },
    SCENES_TIMEOUT_MS,
  );
});

test("removing an entry leaves no file; of two, the first leaves a mark until the second", async () => {
  const store = await fixture.open();
  await send(store, 1, 20, ["x", "y"]);
  store.outbox.remove("p-1.0");
  expect(queueFiles()).toEqual(["p-1.0", "p-1.body", "p-1.mail"]);
  store.outbox.remove("p-1.1");
  expect(queueFiles()).toEqual([]);
});

test("a crash in the middle of the last removal is tidied up at the next start", async () => {
  const broken: { call: keyof Files | undefined } = { call: undefined };
  let unlinks = 0;
  const store = await fixture.open({
    files: hookedFiles((call) => {
      if (broken.call === call && ++unlinks > 1) throw errno("EIO");
    }),
  });
  await send(store, 1, 20, ["x"]);
  broken.call = "unlink";
  expect(() => store.outbox.remove("p-1.0")).toThrow();
  expect(queueFiles()).toEqual(["p-1.body"]);
  broken.call = undefined;
  expect(await queuedIn(await fixture.open())).toEqual([]);
  expect(queueFiles()).toEqual([]);
});

test("torn files of a power cut are skipped, swept, and never taken for mail", async () => {
  const store = await fixture.open();
  for (const n of [1, 2, 3, 4]) await send(store, n, 20, ["x", "y"]);
  await store.outbox.setNote("p-4.1", "later");
  const path = (name: string) => `${fixture.directory}/queue/${name}`;
  truncateSync(path("p-1.body"), 5);
  truncateSync(path("p-2.mail"), 12);
  writeFileSync(path("p-3.mail"), "");
  truncateSync(path("p-4.1"), 3);
  writeFileSync(path("README"), "not ours");
  const after = await queuedIn(await fixture.open());
  // The torn note does not count: the one before it does.
  expect(after.map(({ id, note }) => `${id} ${note}`)).toEqual(["p-4.0 x", "p-4.1 y"]);
  expect(queueFiles()).toEqual(["README", "p-4.1", "p-4.body", "p-4.mail"]);
});

test("nothing that the log is told names anybody", async () => {
  let full = false;
  const store = await fixture.open({
    files: hookedFiles((call) => {
      if (full && call === "create") throw errno("ENOSPC");
    }),
  });
  await send(store, 1, 20, ["alice@relay.test"]);
  full = true;
  expect(await faultOf(store.outbox.setNote("p-1.0", "alice@relay.test"))).toBe("full");
  expect(await store.outbox.note("p-1.0")).toBe("alice@relay.test");
  expect(JSON.stringify(fixture.events)).not.toContain("relay.test");
});
