/** Mailboxes, messages and mail thrown away, as operators have them. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Address } from "../core/address.ts";
import { fakeEncryptedMessage } from "../pgp/fixtures.test-help.ts";
import { Flag } from "../storage/store.ts";
import { inboxOf, messageText } from "../storage/store.test-help.ts";
import { faultOf, House } from "./accounts.test-help.ts";

const ada = "ada@relay.test" as Address;
const bob = "bob@relay.test" as Address;
const size = messageText(1).length;
let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.dispose());
const call: House["operator"]["call"] = (...args) => house.operator.call(...args);

describe("mailboxes", () => {
  test("are provisioned once, for an address without a login, too", async () => {
    const folders = ["Sent", "Trash", "Junk", "Drafts", "Archive"];
    expect(await call("mailboxes.provision", { user: "ada" })).toEqual({
      user: ada,
      existed: false,
      created: folders,
    });
    expect(await call("mailboxes.provision", { user: "ada" })).toEqual({
      user: ada,
      existed: true,
      created: [],
    });
    const { mailboxes } = await call("mailboxes.list", { user: "ada" });
    expect(mailboxes.map(({ name, specialUse }) => [name, specialUse])).toEqual([
      ["INBOX", undefined],
      ["Archive", "\\Archive"],
      ["Drafts", "\\Drafts"],
      ["Junk", "\\Junk"],
      ["Sent", "\\Sent"],
      ["Trash", "\\Trash"],
    ]);
    expect(house.state.accounts.has(ada)).toBe(false);
  });

  test("are made, renamed, listed with figures, and taken away with their mail", async () => {
    await call("mailboxes.create", { user: "ada", name: "A" });
    await house.mail(ada, "A");
    await call("mailboxes.rename", { user: "ada", from: "A", to: "B/C" });
    const { total, usedBytes, mailboxes } = await call("mailboxes.list", { user: "ada" });
    expect([total, usedBytes]).toEqual([2, size]);
    expect(mailboxes[1]).toMatchObject({ name: "B/C", messages: 1, unseen: 1, bytes: size, uidNext: 2 });
    expect(await call("mailboxes.remove", { user: "ada", name: "B/C" })).toMatchObject({ messages: 1 });
    expect(await call("mailboxes.removeAll", { user: "ada" })).toEqual({ user: ada, messages: 0, bytes: 0 });
    expect(house.store.exists(ada)).toBe(false);
  });

  test("what can't be done is told, and makes nothing", async () => {
    expect(await faultOf(call("mailboxes.list", { user: "ada" }))).toBe(
      "notFound: ada@relay.test has no mailboxes",
    );
    expect(await faultOf(call("mailboxes.create", { user: "x@else.test", name: "A" }))).toStartWith(
      "invalid",
    );
    expect(await house.store.users()).toEqual([]);
    await call("mailboxes.create", { user: "ada", name: "A" });
    const cases: [Promise<unknown>, string][] = [
      [call("mailboxes.create", { user: "ada", name: "A" }), "conflict: A: this mailbox exists"],
      [
        call("mailboxes.create", { user: "ada", name: "A//B" }),
        "invalid: A//B: empty part in a mailbox name",
      ],
      [
        call("mailboxes.remove", { user: "ada", name: "INBOX" }),
        "invalid: INBOX: the inbox cannot be deleted",
      ],
      [call("mailboxes.remove", { user: "ada", name: "B" }), "notFound: B: no such mailbox"],
      [call("mailboxes.rename", { user: "ada", from: "B", to: "C" }), "notFound: B to C: no such mailbox"],
    ];
    for (const [work, want] of cases) expect(await faultOf(work)).toBe(want);
  });
});

describe("messages", () => {
  beforeEach(async () => {
    for (const n of [1, 2, 3]) await house.mail(ada, "INBOX", n);
    await call("mailboxes.create", { user: "ada", name: "Old" });
  });
  const uids = async (mailbox: string) =>
    (await call("messages.list", { user: "ada", mailbox })).messages.map(({ uid }) => uid);

  test("are listed, flagged, copied, moved and deleted by UID", async () => {
    const user = "ada";
    const flags = ["\\Seen", "$Label"];
    expect(await call("messages.flags", { user, uids: "2:*", how: "add", flags })).toEqual({ messages: 2 });
    expect(await call("messages.flags", { user, uids: "3", how: "remove", flags: ["\\seen"] })).toEqual({
      messages: 1,
    });
    const { total, messages } = await call("messages.list", { user, offset: 1 });
    expect([total, messages.map((message) => message.flags)]).toEqual([3, [flags, ["$Label"]]]);
    expect(await call("messages.flags", { user, uids: "2", how: "replace", flags: [] })).toEqual({
      messages: 1,
    });
    expect(await call("messages.copy", { user, uids: "1,2", target: "Old" })).toEqual({ messages: 2 });
    expect(await call("messages.move", { user, uids: "1", target: "Old" })).toEqual({ messages: 1 });
    expect([await uids("INBOX"), await uids("Old")]).toEqual([
      [2, 3],
      [1, 2, 3],
    ]);
    expect(await call("messages.remove", { user, uids: "2:9" })).toEqual({ messages: 2, bytes: 2 * size });
    expect(await call("messages.remove", { user, uids: "7" })).toEqual({ messages: 0, bytes: 0 });
  });

  test("are handed out as they are stored", async () => {
    const { content, bytes } = await call("messages.dump", { user: "ada", uid: 2 });
    expect([Buffer.from(content, "base64").toString(), bytes]).toEqual([messageText(2), size]);
    expect(await faultOf(call("messages.dump", { user: "ada", uid: 9 }))).toBe(
      "notFound: there is no message with UID 9",
    );
  });

  test("are added only if they are encrypted and there is room", async () => {
    const clear = Buffer.from(messageText(4)).toString("base64");
    expect(await faultOf(call("messages.add", { user: "ada", content: clear }))).toBe(
      "refused: the message is refused: 523 5.7.1 Encryption Needed: Invalid Unencrypted Mail",
    );
    const message = fakeEncryptedMessage(3000);
    const content = Buffer.from(message).toString("base64");
    const internalDateMs = 1_600_000_000_000;
    const added = { user: "ada", mailbox: "Old", content, flags: ["\\Seen", "k"], internalDateMs };
    expect(await call("messages.add", added)).toEqual({ uid: 1, bytes: message.length });
    expect((await call("messages.list", { user: "ada", mailbox: "Old" })).messages).toEqual([
      { uid: 1, bytes: message.length, flags: ["\\Seen", "k"], internalDateMs },
    ]);
    house.account("ada");
    house.state.accounts.setQuota(ada, 3000);
    expect(await faultOf(call("messages.add", added))).toBe(
      "refused: the message is refused: 552 5.2.2 Quota exceeded (mailbox for user is full)",
    );
  });

  test.each([
    [{ uids: "0" }],
    [{ uids: "$" }],
    [{ uids: "x" }],
    [{ uids: "1", flags: ["\\Recent"] }],
    [{ uids: "1", flags: ["a b"] }],
  ])("%p is refused", async (input) => {
    expect(
      await faultOf(call("messages.flags", { user: "ada", how: "add", flags: [], ...input })),
    ).toStartWith("invalid");
  });
});

describe("mail.purge", () => {
  beforeEach(async () => {
    await house.mail(ada, "INBOX", 1);
    await house.mail(ada, "A", 2);
    house.clock.advance(86_400_000);
    await house.mail(ada, "INBOX", 3);
    await house.mail(bob, "INBOX", 4);
    await (await inboxOf(house.store, ada)).storeFlags([1], "add", Flag.seen);
  });
  const left = async () => [(await house.store.usage(ada)).messages, (await house.store.usage(bob)).messages];

  const rows: [Parameters<typeof purge>[0], number, number[]][] = [
    [{ what: "user", user: "ada" }, 3, [0, 1]],
    [{ what: "all" }, 4, [0, 0]],
    [{ what: "read" }, 1, [2, 1]],
    [{ what: "read", user: "bob" }, 0, [3, 1]],
    [{ what: "older", olderThan: "12h" }, 2, [1, 1]],
    [{ what: "older", olderThan: "3d" }, 0, [3, 1]],
    [{ what: "unreadOlder", olderThan: "12h" }, 1, [2, 1]],
  ];
  const purge = (input: {
    what: "user" | "all" | "read" | "older" | "unreadOlder";
    user?: string;
    olderThan?: string;
  }) => call("mail.purge", input);
  test.each(rows)("of %p throws away what it says", async (input, messages, want) => {
    expect(await purge(input)).toEqual({ messages, bytes: messages * size });
    expect(await left()).toEqual(want);
  });

  test.each([
    [{ what: "user" as const }],
    [{ what: "older" as const }],
    [{ what: "older" as const, olderThan: "0d" }],
    [{ what: "unreadOlder" as const, olderThan: "soon" }],
    [{ what: "all" as const, user: "carol" }],
  ])("of %p throws nothing away", async (input) => {
    expect(await faultOf(purge(input))).toMatch(/^(invalid|notFound): /);
    expect(await left()).toEqual([3, 1]);
  });
});
