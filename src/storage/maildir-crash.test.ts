/** Crashes and failing disks: what resolved is there exactly once, what failed left nothing, nothing is half there. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { truncateSync, writeFileSync } from "node:fs";
import type { Address } from "../core/address.ts";
import { errno, Fuse, HeldSyncs, hookedFiles } from "./files.test-help.ts";
import type { Files } from "./files.ts";
import { MaildirFixture } from "./maildir.test-help.ts";
import {
  alice,
  bob,
  deliverTo,
  faultOf,
  inboxOf,
  messageText,
  seal,
  textOf,
  uidsOf,
} from "./store.test-help.ts";
import { Flag, type Mailbox, type MailStore } from "./store.ts";

/** A scene is played some thirty times, each with a copy of its files. */
const SCENES_TIMEOUT_MS = 60_000;
const toAlice = { user: alice, mailbox: "INBOX" };
const toBob = { user: bob, mailbox: "INBOX" };
let fixture: MaildirFixture;

beforeEach(async () => {
  fixture = await MaildirFixture.make();
});
afterEach(async () => {
  await fixture.dispose();
});

async function textsOf(mailbox: Mailbox): Promise<(string | undefined)[]> {
  return await Promise.all(uidsOf(mailbox).map((uid) => textOf(mailbox, uid)));
}

interface Scene {
  name: string;
  users: readonly Address[];
  texts: readonly string[];
}
const scenes: readonly Scene[] = [
  { name: "a first small message", users: [alice], texts: [messageText(1)] },
  {
    name: "two messages to two people, one from a spool file",
    users: [alice, bob],
    texts: [messageText(1), messageText(2, 200_000)],
  },
];

/** Plays the scene with a fuse at each call in turn, until one run needs no more calls. @returns how many */
async function atEachCall(
  scene: Scene,
  code: string,
  only: boolean,
  check: (done: string[], failed: keyof Files | undefined) => Promise<void>,
): Promise<number> {
  const targets = scene.users.map((user) => ({ user, mailbox: "INBOX" }));
  for (let n = 1; ; n++) {
    await fixture.dispose();
    fixture = await MaildirFixture.make();
    const fuse = new Fuse(n, code, only);
    const store = fixture.unstarted({ files: fuse.files });
    const done: string[] = [];
    const outcome = await faultOf(
      (async () => {
        await store.start();
        for (const text of scene.texts) {
          await deliverTo(store, text, ...targets);
          done.push(text);
        }
      })(),
    );
    if (fuse.failed === undefined) return n;
    expect(["none", "failed", "full"]).toContain(outcome);
    await check(done, fuse.failed);
  }
}

describe("a crash at each file call", () => {
  test.each(scenes)(
    "of $name loses nothing that was accepted and shows nothing twice or in part",
    async (scene) => {
      const calls = await atEachCall(scene, "EIO", false, async (done) => {
        const store = await fixture.crashed({ fsync: "never" });
        for (const user of scene.users) {
          const inbox = await inboxOf(store, user);
          const texts = await textsOf(inbox);
          for (const text of done) expect(texts.filter((each) => each === text)).toHaveLength(1);
          // What was not accepted may be there whole, once.
          expect(new Set(texts).size).toBe(texts.length);
          for (const text of texts) expect(scene.texts).toContain(text ?? "");
        }
      });
      expect(calls).toBeGreaterThan(8);
    },
  );
});

describe("a single failing call", () => {
  test.each(scenes)(
    "in $name leaves no trace of a refused message",
    async (scene) => {
      await atEachCall(scene, "ENOSPC", true, async (done, failed) => {
        const store = await fixture.crashed({ fsync: "never" });
        for (const user of scene.users) {
          const texts = await textsOf(await inboxOf(store, user));
          // When unlinking itself fails, nobody can take a refused message away.
          if (failed !== "unlink") expect(texts).toEqual(done);
        }
      });
    },
    SCENES_TIMEOUT_MS,
  );

  const faults: readonly (readonly [keyof Files, string, string])[] = [
    ["create", "EMFILE", "failed"],
    ["create", "EROFS", "failed"],
    ["write", "ENOSPC", "full"],
    ["write", "EDQUOT", "full"],
    ["rename", "ENOSPC", "full"],
    ["link", "EMLINK", "failed"],
    ["syncData", "EIO", "failed"],
    ["sync", "EIO", "failed"],
    ["openDirectory", "EMFILE", "failed"],
  ];
  test.each(faults)(
    "%s with %s is %s, names nobody, and the next delivery works",
    async (call, code, fault) => {
      let broken = false;
      const files = hookedFiles((each) => {
        if (broken && each === call) throw errno(code);
      });
      const store = await fixture.open({ files });
      await deliverTo(store, messageText(0), toAlice, toBob);
      broken = true;
      expect(await faultOf(deliverTo(store, messageText(1), toAlice, toBob))).toBe(fault);
      expect(JSON.stringify(fixture.events)).toContain(code);
      expect(JSON.stringify(fixture.events)).not.toContain("relay.test");
      broken = false;
      await deliverTo(store, messageText(2), toAlice, toBob);
      for (const user of [alice, bob]) {
        expect(await textsOf(await inboxOf(store, user))).toEqual([messageText(0), messageText(2)]);
        expect(await fixture.messageFiles(user)).toHaveLength(2);
      }
      expect(await fixture.spoolFiles()).toEqual([]);
    },
  );

  test("a full disk while spooling throws full and leaves no spool file", async () => {
    let broken = false;
    const files = hookedFiles((call) => {
      if (broken && call === "write") throw errno("ENOSPC");
    });
    const store = await fixture.open({ files });
    const spool = store.spool({ maxBytes: 1_000_000 });
    spool.write(new Uint8Array(60_000));
    broken = true;
    expect(() => spool.write(new Uint8Array(60_000))).toThrow("ENOSPC");
    spool.discard();
    expect(await fixture.spoolFiles()).toEqual([]);
  });

  test("start() on a directory that cannot be made rejects", async () => {
    writeFileSync(`${fixture.directory}/mail`, "a file is in the way");
    expect(await faultOf(fixture.unstarted().start())).toBe("failed");
  });
});

describe("UIDs across crashes", () => {
  test("never go back, whatever was expunged before", async () => {
    let store: MailStore = await fixture.open();
    let highest = 0;
    let validity = 0;
    for (let run = 0; run < 5; run++) {
      const inbox = await inboxOf(store, alice);
      if (validity === 0) validity = inbox.uidValidity;
      expect(inbox.uidValidity).toBe(validity);
      expect(inbox.uidNext).toBeGreaterThan(highest);
      await Promise.all(Array.from({ length: 70 }, (_, n) => deliverTo(store, messageText(n), toAlice)));
      expect(inbox.messages.every(({ uid }) => uid > highest)).toBe(true);
      highest = inbox.uidNext - 1;
      await inbox.storeFlags(uidsOf(inbox), "add", Flag.deleted);
      await inbox.expunge();
      // No close: only what reached the disk counts.
      const next = await fixture.copy();
      await fixture.dispose();
      fixture = next;
      store = await fixture.open();
    }
  });

  test("are reserved before they show: hundreds in one run, then a crash", async () => {
    const store = await fixture.open({ fsync: "optimized" });
    const inbox = await inboxOf(store, alice);
    for (let round = 0; round < 4; round++) {
      await Promise.all(Array.from({ length: 100 }, (_, n) => deliverTo(store, messageText(n), toAlice)));
      await inbox.storeFlags(uidsOf(inbox), "add", Flag.deleted);
      await inbox.expunge();
      const after = await inboxOf(await fixture.crashed(), alice);
      expect(after.uidNext).toBeGreaterThanOrEqual(inbox.uidNext);
    }
  });

  test("a file above the mark moves the mark before it shows", async () => {
    const store = await fixture.open();
    await deliverTo(store, messageText(1), toAlice);
    const { uidValidity } = await inboxOf(store, alice);
    const name = `1700000000.V${uidValidity}RxQ1.host,S=${messageText(2).length},U=900`;
    writeFileSync(`${fixture.maildir(alice)}/new/${name}`, messageText(2));
    const first = await fixture.copy();
    const inbox = await inboxOf(await first.open(), alice);
    expect(uidsOf(inbox)).toEqual([1, 900]);
    await inbox.storeFlags([900], "add", Flag.deleted);
    await inbox.expunge();
    const second = await first.copy();
    expect((await inboxOf(await second.open(), alice)).uidNext).toBeGreaterThan(900);
    await first.dispose();
    await second.dispose();
  });

  test("a lost mark means a new UIDVALIDITY and fresh UIDs, not reused ones", async () => {
    const store = await fixture.open();
    for (const n of [1, 2]) await deliverTo(store, messageText(n), toAlice);
    const { uidValidity } = await inboxOf(store, alice);
    writeFileSync(`${fixture.maildir(alice)}/madmail-uid`, "");
    fixture.clock.advance(1000);
    const inbox = await inboxOf(await fixture.crashed(), alice);
    expect(inbox.uidValidity).toBeGreaterThan(uidValidity);
    expect(await textsOf(inbox)).toEqual([messageText(1), messageText(2)]);
  });
});

describe("leftovers of a crash", () => {
  test("a file in new/ that is shorter than its name says was never accepted: swept", async () => {
    const store = await fixture.open();
    for (const n of [1, 2]) await deliverTo(store, messageText(n), toAlice, { user: alice, mailbox: "A" });
    const first = (await fixture.messageFiles(alice)).find((name) => name.endsWith(",U=1"));
    // Names are links of one file: cutting one cuts INBOX's and A's.
    truncateSync(`${fixture.maildir(alice)}/${first}`, 10);
    const account = await (await fixture.crashed()).account(alice);
    expect(uidsOf(await account.open("INBOX"))).toEqual([2]);
    expect(uidsOf(await account.open("A"))).toEqual([2]);
    expect(account.usedBytes).toBe(2 * messageText(2).length);
  });

  test("accounts that nobody asks for are swept in the background, and then the stop is clean", async () => {
    const first = await fixture.open();
    await deliverTo(first, messageText(1), toAlice);
    const [file] = await fixture.messageFiles(alice);
    truncateSync(`${fixture.maildir(alice)}/${file}`, 10);
    // The first store is abandoned; this one never loads the account, but its close waits for the sweep.
    const second = await fixture.open();
    await second.swept();
    await second.close();
    expect(await fixture.messageFiles(alice)).toEqual([]);
  });

  test("an appended message with flags is in new/ until it is durable, then in cur/", async () => {
    const syncs = new HeldSyncs();
    const store = await fixture.open({ files: syncs.files });
    const inbox = await inboxOf(store, alice);
    syncs.holding = true;
    const message = seal(store, messageText(1));
    const append = inbox.append(message, { flags: Flag.seen, keywords: [] });
    while (syncs.count === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await fixture.messageFiles(alice)).toEqual([expect.stringMatching(/^new\/.*,U=1$/)]);
    syncs.end(0);
    await append;
    syncs.holding = false;
    expect(await fixture.messageFiles(alice)).toEqual([expect.stringMatching(/^cur\/.*,U=1:2,S$/)]);
    expect(await textOf(inbox, 1)).toBe(messageText(1));
  });

  test("spool files and removed accounts go at start", async () => {
    const store = await fixture.open();
    seal(store, messageText(1, 100_000));
    expect(await fixture.spoolFiles()).toHaveLength(1);
    const next = await fixture.open();
    await next.swept();
    expect(await fixture.spoolFiles()).toEqual([]);
  });

  test("after a clean stop nothing is examined: a changed size stays unnoticed", async () => {
    const store = await fixture.open();
    await store.swept();
    await deliverTo(store, messageText(1), toAlice);
    await store.close();
    const [file] = await fixture.messageFiles(alice);
    truncateSync(`${fixture.maildir(alice)}/${file}`, 10);
    expect(uidsOf(await inboxOf(await fixture.open(), alice))).toEqual([1]);
  });
});

test("mod-sequences and UIDVALIDITY grow even when the clock went back", async () => {
  const user = "carol@relay.test" as Address;
  let store = await fixture.open();
  await store.swept();
  const { highestModseq } = await inboxOf(store, user);
  const { uidValidity } = await inboxOf(store, user);
  await store.remove(user);
  await store.close();
  fixture.clock.advance(-3_600_000);
  store = await fixture.open();
  const inbox = await inboxOf(store, user);
  expect(inbox.highestModseq).toBeGreaterThan(highestModseq);
  expect(inbox.uidValidity).toBeGreaterThan(uidValidity);
});
