/** What other programs see in a mailbox's directory, and what they may do to it. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import type { Address } from "../core/address.ts";
import { ManualClock } from "../core/clock.ts";
import { hookedFiles } from "./files.test-help.ts";
import { MaildirFixture } from "./maildir.test-help.ts";
import { alice, deliverTo, inboxOf, messageText, seal, textOf, uidsOf } from "./store.test-help.ts";
import { Flag } from "./store.ts";

const toAlice = { user: alice, mailbox: "INBOX" };
let fixture: MaildirFixture;
let maildir: string;

beforeEach(async () => {
  fixture = await MaildirFixture.make();
  maildir = fixture.maildir(alice);
});
afterEach(async () => {
  await fixture.dispose();
});

describe("the layout", () => {
  test("is Maildir++: new and cur with flags in names, folders with dots, owner only", async () => {
    const store = await fixture.open({ host: "mx/1:a" });
    for (const n of [1, 2]) await deliverTo(store, messageText(n), toAlice);
    const account = await store.account(alice);
    await account.create("Ä/b.c");
    const inbox = await account.open("INBOX");
    await inbox.storeFlags([2], "add", Flag.seen | Flag.answered | (inbox.keyword("$Forwarded") ?? 0));
    const [seen, fresh] = await fixture.messageFiles(alice);
    const size = messageText(1).length;
    expect(fresh).toMatch(new RegExp(`^new/1700000000\\.V\\d+R\\w+Q\\d+\\.mx_1_a,S=${size},U=1$`));
    expect(seen).toMatch(new RegExp(`^cur/1700000000\\.V\\d+R\\w+Q\\d+\\.mx_1_a,S=${size},U=2:2,RSa$`));
    expect(readdirSync(`${maildir}/.&AMQ-.b\\2ec`).sort()).toEqual([
      "cur",
      "madmail-uid",
      "maildirfolder",
      "new",
      "tmp",
    ]);
    expect(readFileSync(`${maildir}/dovecot-keywords`, "utf8")).toBe("0 $Forwarded\n");
    expect(statSync(`${maildir}/${fresh}`).mode & 0o777).toBe(0o600);
    expect(statSync(`${maildir}/new`).mode & 0o777).toBe(0o700);
    expect(statSync(`${fixture.directory}/mail`).mode & 0o777).toBe(0o700);
  });

  test("one body serves all recipients", async () => {
    const store = await fixture.open();
    const bob = "bob@relay.test" as Address;
    for (const size of [10, 200_000]) {
      await deliverTo(store, messageText(1, size), toAlice, { user: bob, mailbox: "INBOX" });
    }
    const inodes = await Promise.all(
      [alice, bob].map(async (user) =>
        (await fixture.messageFiles(user))
          .map((file) => statSync(`${fixture.maildir(user)}/${file}`).ino)
          .sort((a, b) => a - b),
      ),
    );
    expect(inodes[0]).toEqual(inodes[1] ?? []);
    expect(await fixture.spoolFiles()).toEqual([]);
  });

  test("a small message costs four calls on the main thread and two syncs", async () => {
    const calls: string[] = [];
    const store = await fixture.open({ files: hookedFiles((call) => void calls.push(call)) });
    await deliverTo(store, messageText(1), toAlice);
    calls.length = 0;
    await deliverTo(store, messageText(2), toAlice);
    // Closing the file is not counted by the hook: the fourth.
    expect(calls).toEqual(["create", "write", "rename", "syncData", "openDirectory", "sync"]);
  });

  test("a message that is refused touches no disk", async () => {
    const calls: string[] = [];
    const store = await fixture.open({ files: hookedFiles((call) => void calls.push(call)) });
    calls.length = 0;
    const message = seal(store, messageText(1, 60_000));
    message.discard();
    expect(calls).toEqual([]);
  });
});

describe("files of other programs", () => {
  test("are adopted at load, with fresh UIDs, in name order, flags kept", async () => {
    const first = await fixture.open();
    await deliverTo(first, messageText(1), toAlice);
    await first.close();
    writeFileSync(`${maildir}/new/1600000002.M1P2.elsewhere`, messageText(3));
    writeFileSync(`${maildir}/cur/1600000001.M1P2.elsewhere,S=3:2,FS`, messageText(2));
    writeFileSync(`${maildir}/cur/nodate`, messageText(4));
    writeFileSync(`${maildir}/cur/.hidden`, "no");
    mkdirSync(`${maildir}/cur/directory`);
    let store = await fixture.open();
    for (let run = 0; run < 2; run++) {
      const inbox = await inboxOf(store, alice);
      expect(inbox.messages.map(({ uid, flags, size }) => [uid, flags, size])).toEqual([
        [1, 0, messageText(1).length],
        [2, Flag.flagged | Flag.seen, messageText(2).length],
        [3, 0, messageText(3).length],
        [4, 0, messageText(4).length],
      ]);
      expect(inbox.find(2)?.internalDateMs).toBe(1_600_000_001_000);
      for (const uid of [1, 2, 3, 4]) expect(await textOf(inbox, uid)).toBe(messageText(uid));
      expect(inbox.uidNext).toBe(5);
      await store.close();
      store = await fixture.open();
    }
  });

  test("moved here from another mailbox, or restored twice, get UIDs of their own", async () => {
    const store = await fixture.open();
    for (const n of [1, 2]) await deliverTo(store, messageText(n), { user: alice, mailbox: "A" });
    fixture.clock.advance(5000);
    await deliverTo(store, messageText(3), { user: alice, mailbox: "B" });
    await store.close();
    const first = readdirSync(`${maildir}/.A/new`).find((name) => name.endsWith(",U=1")) ?? "";
    renameSync(`${maildir}/.A/new/${first}`, `${maildir}/.B/cur/${first}:2,S`);
    const [own = ""] = readdirSync(`${maildir}/.B/new`);
    writeFileSync(`${maildir}/.B/cur/${own}:2,S`, messageText(4));
    const account = await (await fixture.open()).account(alice);
    expect(uidsOf(await account.open("A"))).toHaveLength(1);
    const mailbox = await account.open("B");
    expect(new Set(uidsOf(mailbox)).size).toBe(3);
    const texts = await Promise.all(uidsOf(mailbox).map((uid) => textOf(mailbox, uid)));
    expect(new Set(texts)).toEqual(new Set([1, 3, 4].map((n) => messageText(n))));
    expect(readdirSync(`${maildir}/.B/cur`).every((name) => /,U=\d+:2,\w*$/.test(name))).toBe(true);
  });

  test("a file that another program marked or moved is found again", async () => {
    const store = await fixture.open();
    for (const n of [1, 2, 3]) await deliverTo(store, messageText(n), toAlice);
    const inbox = await inboxOf(store, alice);
    for (const name of readdirSync(`${maildir}/new`))
      renameSync(`${maildir}/new/${name}`, `${maildir}/cur/${name}:2,SF`);
    expect(await textOf(inbox, 1)).toBe(messageText(1));
    expect(inbox.find(1)?.flags).toBe(Flag.seen | Flag.flagged);
    const { changed } = await inbox.storeFlags([2], "add", Flag.answered);
    expect(changed.at(-1)?.flags).toBe(Flag.seen | Flag.flagged | Flag.answered);
    await inbox.storeFlags([3], "add", Flag.deleted);
    expect(await inbox.expunge()).toEqual([3]);
    expect(readdirSync(`${maildir}/cur`)).toHaveLength(2);
  });

  test("a file that another program deleted is gone here too, once somebody asks", async () => {
    const store = await fixture.open();
    for (const n of [1, 2]) await deliverTo(store, messageText(n), toAlice);
    const inbox = await inboxOf(store, alice);
    const since = inbox.highestModseq;
    for (const name of readdirSync(`${maildir}/new`)) unlinkSync(`${maildir}/new/${name}`);
    expect(await inbox.header(1)).toBeUndefined();
    expect(await inbox.body(1)).toBeUndefined();
    expect((await inbox.storeFlags([2], "add", Flag.seen)).changed).toEqual([]);
    expect(inbox.changesSince(since).vanished).toEqual([1, 2]);
    expect(inbox.totalBytes).toBe(0);
  });

  test("a file that another program changed is read as it is", async () => {
    const store = await fixture.open();
    await deliverTo(store, messageText(1), toAlice);
    await deliverTo(store, messageText(2, 100_000), toAlice);
    const inbox = await inboxOf(store, alice);
    for (const name of readdirSync(`${maildir}/new`))
      writeFileSync(`${maildir}/new/${name}`, "A: b\r\n\r\nshort");
    for (const uid of [1, 2]) {
      const body = await inbox.body(uid);
      expect(body?.size).toBe(13);
      await body?.close();
      expect(await textOf(inbox, uid)).toBe("A: b\r\n\r\nshort");
    }
  });

  test("folders in no encoding of ours are left alone", async () => {
    const store = await fixture.open();
    await inboxOf(store, alice);
    await store.close();
    for (const name of [".a&b", ".a..b", ".&AOQ", "plain"])
      mkdirSync(`${maildir}/${name}/cur`, { recursive: true });
    expect((await (await fixture.open()).account(alice)).mailboxes()).toEqual(["INBOX"]);
  });
});

describe("memory", () => {
  const users = Array.from({ length: 6 }, (_, n) => `u${n}@relay.test` as Address);

  test("accounts beyond the bound leave it, unless held, and come back as they were", async () => {
    const store = await fixture.open({ residentAccountsMax: 3 });
    const held = await inboxOf(store, users[0] ?? alice);
    for (const user of users) await deliverTo(store, messageText(1), { user, mailbox: "INBOX" });
    expect(store.residentAccounts).toBe(3);
    expect(await inboxOf(store, users[0] ?? alice)).toBe(held);
    Bun.gc(true);
    for (const user of users) await deliverTo(store, messageText(2), { user, mailbox: "INBOX" });
    for (const user of users) {
      const inbox = await inboxOf(store, user);
      const texts = await Promise.all(uidsOf(inbox).map((uid) => textOf(inbox, uid)));
      expect(texts).toEqual([messageText(1), messageText(2)]);
      inbox.release();
    }
    expect(uidsOf(held)).toHaveLength(2);
  });

  test("an account that somebody still uses is never loaded a second time", async () => {
    const store = await fixture.open({ residentAccountsMax: 1 });
    const account = await store.account(alice);
    const inbox = await account.open("INBOX");
    inbox.release();
    for (const user of users) await store.account(user);
    Bun.gc(true);
    await deliverTo(store, messageText(1), toAlice);
    expect(await store.account(alice)).toBe(account);
    expect(uidsOf(inbox)).toEqual([1]);
  });

  test("messages are bounded too", async () => {
    const store = await fixture.open({ residentMessagesMax: 5 });
    for (const user of users) {
      await Promise.all([1, 2, 3].map((n) => deliverTo(store, messageText(n), { user, mailbox: "INBOX" })));
    }
    expect(store.residentAccounts).toBeLessThanOrEqual(3);
  });

  test("headers and bodies come through the pool while the disk is slow", async () => {
    class SlowClock extends ManualClock {
      #ticks = 0;
      override monotonicMs(): number {
        return ++this.#ticks;
      }
    }
    let store = await fixture.open({ fsync: "never" });
    for (let n = 1; n <= 80; n++) await deliverTo(store, messageText(n), toAlice);
    await store.close();
    store = await fixture.open({ fsync: "never", clock: new SlowClock() });
    const inbox = await inboxOf(store, alice);
    let later = 0;
    for (const uid of uidsOf(inbox)) {
      const lines = inbox.prefetchHeader(uid);
      if (lines instanceof Promise) later++;
      expect(Buffer.from((await lines) ?? []).toString()).toContain(`<${uid}@relay.test>`);
      expect(await textOf(inbox, uid)).toBe(messageText(uid));
    }
    expect(later).toBeGreaterThan(0);
    expect(inbox.prefetchHeader(81)).toBeUndefined();
  });

  test("two thousand messages load in UID order, from names alone", async () => {
    let store = await fixture.open({ fsync: "never" });
    await store.swept();
    const message = seal(store, messageText(1));
    for (let n = 0; n < 2000; n += 100) {
      await Promise.all(Array.from({ length: 100 }, () => store.deliver(message, [toAlice])));
    }
    const before = await inboxOf(store, alice);
    await before.storeFlags(
      uidsOf(before).filter((uid) => uid % 2 === 0),
      "add",
      Flag.seen,
    );
    await store.close();
    store = await fixture.open({ fsync: "never" });
    const inbox = await inboxOf(store, alice);
    expect(uidsOf(inbox)).toEqual(Array.from({ length: 2000 }, (_, n) => n + 1));
    expect([inbox.unseenCount, inbox.totalBytes]).toEqual([1000, 2000 * messageText(1).length]);
    const headers = await Promise.all(uidsOf(inbox).map(async (uid) => await inbox.prefetchHeader(uid)));
    expect(headers.every((lines) => lines !== undefined && lines.length > 50)).toBe(true);
  });
});
