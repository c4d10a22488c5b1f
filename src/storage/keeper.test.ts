/** Maintenance behind and through an index: the same answers, and never both at once. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import type { Address } from "../core/address.ts";
import { chooseExpired, emptyCensus, type ExpiryRule } from "./expiry.ts";
import { factsOfName } from "./at-rest.ts";
import type { MaildirStore } from "./maildir.ts";
import { MaildirFixture } from "./maildir.test-help.ts";
import { Flag } from "./store.ts";
import { alice, bob, deliverTo, inboxOf, messageText } from "./store.test-help.ts";

const HOUR_MS = 3_600_000;
let fixture: MaildirFixture;
let store: MaildirStore;

beforeEach(async () => {
  fixture = await MaildirFixture.make();
  store = await fixture.open();
});
afterEach(() => fixture.dispose());

/** The same store without any index in memory. */
async function reopen(): Promise<void> {
  await store.close();
  store = await fixture.open();
}

async function fill(user: Address, count: number, bodyBytes = 20): Promise<void> {
  for (let n = 1; n <= count; n++) {
    await deliverTo(store, messageText(n, bodyBytes), { user, mailbox: "INBOX" });
    fixture.clock.advance(HOUR_MS);
  }
}

const breathe = () => undefined;
const going = new AbortController().signal;
function expire(user: Address, rule: ExpiryRule, dryRun = false, census = emptyCensus()) {
  return store.keeper.expire(user, rule, { dryRun, census, breathe, signal: going });
}

for (const where of ["in memory", "at rest"]) {
  test(`mail past its age goes and UIDs go on, with the account ${where}`, async () => {
    await fill(alice, 5);
    if (where === "at rest") await reopen();
    const census = emptyCensus();
    const rule = { anyBeforeMs: fixture.clock.nowMs() - 3 * HOUR_MS };
    const dry = await expire(alice, rule, true, census);
    expect(dry.messages).toBe(2);
    expect(census).toMatchObject({ accounts: 1, messages: 5, unseen: 5 });
    expect(await fixture.messageFiles(alice)).toHaveLength(5);
    expect(await expire(alice, rule)).toEqual(dry);
    expect(await fixture.messageFiles(alice)).toHaveLength(3);
    const inbox = await inboxOf(store, alice);
    expect(inbox.messages.map((message) => message.uid)).toEqual([3, 4, 5]);
    expect(inbox.uidNext).toBe(6);
    expect((await store.account(alice)).usedBytes).toBe(inbox.totalBytes);
  });
}

test("with the account in memory, watchers hear of what went", async () => {
  await fill(alice, 2);
  const inbox = await inboxOf(store, alice);
  const { highestModseq } = inbox;
  let looks = 0;
  fixture.hub.subscribe(alice, () => looks++);
  await expire(alice, { anyBeforeMs: fixture.clock.nowMs() });
  await Promise.resolve();
  expect(looks).toBeGreaterThan(0);
  expect(inbox.changesSince(highestModseq).vanished).toEqual([1, 2]);
  expect(inbox.totalBytes).toBe(0);
});

test("at rest no index enters memory", async () => {
  await fill(alice, 3);
  await reopen();
  await expire(alice, { anyBeforeMs: fixture.clock.nowMs() });
  expect(store.residentAccounts).toBe(0);
});

test("a client that comes while files are deleted behind no index finds what is left, and the rest goes through it", async () => {
  await fill(alice, 60);
  await reopen();
  let account: Promise<unknown> | undefined;
  const removed = await store.keeper.expire(
    alice,
    { anyBeforeMs: fixture.clock.nowMs() },
    {
      dryRun: false,
      census: emptyCensus(),
      signal: going,
      breathe: () => {
        account ??= store.account(alice);
        return undefined;
      },
    },
  );
  await account;
  expect(removed.messages).toBe(60);
  expect((await inboxOf(store, alice)).messages).toHaveLength(0);
  expect(await fixture.messageFiles(alice)).toEqual([]);
});

test("a stop ends the work between two pieces", async () => {
  await fill(alice, 40);
  await reopen();
  const stop = new AbortController();
  const breathe = () => {
    stop.abort();
    return undefined;
  };
  const rule = { anyBeforeMs: fixture.clock.nowMs() };
  await store.keeper.expire(alice, rule, {
    dryRun: false,
    census: emptyCensus(),
    breathe,
    signal: stop.signal,
  });
  expect((await fixture.messageFiles(alice)).length).toBeGreaterThan(20);
});

const at = (hours: number) => hours * HOUR_MS;
const mail = (n: number, size: number, hours: number, flags = 0) => ({
  n,
  size,
  internalDateMs: at(hours),
  flags,
});
const rows: [name: string, rule: ExpiryRule, want: number[]][] = [
  ["no rule", {}, []],
  ["any age", { anyBeforeMs: at(2) }, [1]],
  ["large and seen", { large: { minBytes: 1000, beforeMs: at(9) } }, [3]],
  ["seen", { seenBeforeMs: at(9) }, [3, 4]],
  ["unseen", { unseenBeforeMs: at(3) }, [1, 2]],
  [
    "a mailbox under the limit is not shrunk",
    { shrink: { aboveBytes: 2300, toBytes: 0, beforeMs: at(9) } },
    [],
  ],
  ["oldest first", { shrink: { aboveBytes: 2200, toBytes: 1500, beforeMs: at(9) } }, [1, 2]],
  ["never the young", { shrink: { aboveBytes: 100, toBytes: 0, beforeMs: at(2) } }, [1]],
  [
    "what goes by age counts",
    { anyBeforeMs: at(3), shrink: { aboveBytes: 1200, toBytes: 1, beforeMs: at(9) } },
    [1, 2],
  ],
];
for (const [name, rule, want] of rows) {
  test(`chooseExpired(): ${name}`, () => {
    const mails = [
      mail(1, 100, 1),
      mail(2, 1000, 2.5),
      mail(3, 1000, 4, Flag.seen),
      mail(4, 200, 5, Flag.seen),
    ];
    expect(
      chooseExpired(mails, rule)
        .map(({ n }) => n)
        .sort((a, b) => a - b),
    ).toEqual(want);
  });
}

test("names tell time, size and \\Seen; others tell nothing", () => {
  const base = "1700000000.V1R2Q3.host,S=1234,U=9";
  expect(factsOfName(base)).toEqual({ size: 1234, internalDateMs: 1_700_000_000_000, flags: 0 });
  expect(factsOfName(`${base}:2,FS`)?.flags).toBe(Flag.seen);
  expect(factsOfName(`${base}:2,T`)?.flags).toBe(0);
  expect(factsOfName("1700000000.M1P2.host")).toBeUndefined();
  expect(factsOfName("x,S=1")).toBeUndefined();
});

test("another program's file without a size in its name goes by its age on disk", async () => {
  await fill(alice, 1);
  await reopen();
  const path = `${fixture.maildir(alice)}/cur/foreign:2,`;
  writeFileSync(path, "Subject: x\r\n\r\n");
  utimesSync(path, 1, 1);
  expect((await expire(alice, { anyBeforeMs: at(1) })).messages).toBe(1);
  expect(await fixture.messageFiles(alice)).toHaveLength(1);
});

test("check() finds files cut short, doubles and strangers, and repair() loses no mail", async () => {
  await fill(alice, 4);
  await fill(bob, 1);
  await reopen();
  const inNew = `${fixture.maildir(alice)}/new`;
  const names = readdirSync(inNew).sort();
  const [first = "", second = "", third = ""] = names;
  writeFileSync(`${inNew}/${first}`, "cut");
  renameSync(`${inNew}/${second}`, `${inNew}/${second.replace(/U=\d+/, "U=4")}`);
  renameSync(`${inNew}/${third}`, `${inNew}/stranger`);
  const options = { breathe, signal: going };
  const found = await store.keeper.check(alice, { ...options, repair: false });
  expect(found).toEqual({ missing: 0, unknown: 1, duplicate: 1, torn: 1, unmarked: 0, repaired: 0 });
  expect((await store.keeper.check(alice, { ...options, repair: true })).repaired).toBe(2);
  const inbox = await inboxOf(store, alice);
  expect(inbox.messages).toHaveLength(4);
  expect(new Set(inbox.messages.map(({ uid }) => uid)).size).toBe(4);
  expect(await store.keeper.check(bob, { ...options, repair: false })).toMatchObject({ torn: 0, unknown: 0 });
});

test("check() of an account in memory drops messages without a file when asked", async () => {
  await fill(alice, 3);
  const inbox = await inboxOf(store, alice);
  const [first = ""] = (await fixture.messageFiles(alice)).sort();
  renameSync(`${fixture.maildir(alice)}/${first}`, `${fixture.directory}/away`);
  const options = { breathe, signal: going };
  expect(await store.keeper.check(alice, { ...options, repair: false })).toMatchObject({ missing: 1 });
  expect(inbox.messages).toHaveLength(3);
  expect(await store.keeper.check(alice, { ...options, repair: true })).toMatchObject({ repaired: 1 });
  expect(inbox.messages).toHaveLength(2);
});

test("what other programs left in tmp/ and what lies in the spool goes once it is old", async () => {
  await fill(alice, 1);
  const old = `${fixture.maildir(alice)}/tmp/old`;
  const fresh = `${fixture.maildir(alice)}/tmp/fresh`;
  const spooled = `${fixture.directory}/spool/left`;
  for (const path of [old, fresh, spooled]) writeFileSync(path, "12345");
  for (const path of [old, spooled]) utimesSync(path, 1, 1);
  const options = { breathe, signal: going, dryRun: false };
  expect(await store.keeper.sweepTemp(alice, at(1), options)).toEqual({ messages: 1, bytes: 5 });
  expect(readdirSync(`${fixture.maildir(alice)}/tmp`)).toEqual(["fresh"]);
  expect(await store.keeper.sweepSpool(at(1), { dryRun: true })).toEqual({ messages: 1, bytes: 5 });
  expect(await store.keeper.sweepSpool(at(1), { dryRun: false })).toEqual({ messages: 1, bytes: 5 });
  expect(await fixture.spoolFiles()).toEqual([]);
});
