/** The operator's word to users: in their mailboxes, in clear, and nowhere else. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Address } from "../core/address.ts";
import { inboxOf, textOf } from "../storage/store.test-help.ts";
import { faultOf, House } from "./accounts.test-help.ts";

const ada = "ada@relay.test" as Address;
const bob = "bob@two.test" as Address;
let house: House;
beforeEach(async () => {
  house = await House.open();
  house.account(ada);
  house.account(bob);
});
afterEach(() => house.dispose());
const call: House["operator"]["call"] = (...args) => house.operator.call(...args);
const read = async (user: Address) => (await textOf(await inboxOf(house.store, user), 1)) ?? "";

test("a notice to all is plain mail from Admin, wakes IDLE and phones, and names nobody else", async () => {
  let looks = 0;
  house.fixture.hub.subscribe(ada, () => looks++);
  expect(await call("notices.audience", {})).toEqual({ totalUsers: 2, domain: "relay.test" });
  const sent = await call("notices.send", { subject: "Downtime", body: "Tonight.\nBack at 5." });
  expect(sent).toEqual({ sent: 2, failed: 0, errors: [] });
  const text = await read(ada);
  expect(text).toMatch(
    /^From: Admin <admin@relay\.test>\r\nTo: undisclosed-recipients:;\r\nSubject: Downtime\r\nDate: .*\+0000\r\nMessage-ID: <[\w-]+@relay\.test>\r\nMIME-Version: 1\.0\r\nContent-Type: text\/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nTonight\.\r\nBack at 5\.\r\n$/,
  );
  expect(await read(bob)).toStartWith("From: Admin <admin@two.test>\r\n");
  expect(looks).toBeGreaterThan(0);
  expect(house.woken).toEqual([ada, bob]);
});

test("a notice beyond ASCII is encoded, subject and text", async () => {
  const subject = `Grüße \u{1f600} ${"ж".repeat(80)}`;
  const body = `שלום\n${"long ".repeat(400)}`;
  await call("notices.send", { subject, body, user: "ada" });
  const [header = "", text = ""] = (await read(ada)).split("\r\n\r\n");
  expect(header).toContain(`To: <${ada}>`);
  for (const line of `${header}\r\n${text}`.split("\r\n")) expect(line.length).toBeLessThanOrEqual(78);
  const words = [...header.matchAll(/=\?utf-8\?B\?([^?]+)\?=/g)].map(([, word = ""]) =>
    Buffer.from(word, "base64"),
  );
  expect(words.map((word) => word.toString()).join("")).toBe(subject);
  expect(Buffer.from(text, "base64").toString()).toBe(`${body.trim().replace("\n", "\r\n")}\r\n`);
});

test("unknown, blocked and full recipients are failures, each with its reason", async () => {
  expect(await call("notices.send", { subject: "s", body: "b", user: "nobody" })).toEqual({
    sent: 0,
    failed: 1,
    errors: ["nobody@relay.test: there is no such account"],
  });
  expect(house.store.exists("nobody@relay.test" as Address)).toBe(false);
  house.state.accounts.setQuota(ada, 10);
  expect(await call("notices.send", { subject: "s", body: "b" })).toEqual({
    sent: 1,
    failed: 1,
    errors: [`${ada}: the mailbox is full`],
  });
  house.state.blocklist.add(ada, "");
  expect(await call("notices.send", { subject: "s", body: "b", user: "ada" })).toMatchObject({
    errors: [`${ada}: this account is blocked`],
  });
  expect(await call("notices.send", { subject: "s", body: "b" })).toEqual({ sent: 1, failed: 0, errors: [] });
});

test.each([
  ["a\r\nBcc: x@y.test", "b"],
  ["a\nb", "b"],
  ["  ", "b"],
  ["s", " \n "],
])("subject %p with text %p is refused", async (subject, body) => {
  expect(await faultOf(call("notices.send", { subject, body }))).toStartWith("invalid: ");
  expect(await house.store.users()).toEqual([]);
});

test("more mailboxes than one step takes", async () => {
  for (let n = 0; n < 230; n++) house.account(`user${n}`);
  expect(await call("notices.send", { subject: "s", body: "b" })).toEqual({
    sent: 232,
    failed: 0,
    errors: [],
  });
  expect(new Set(house.woken).size).toBe(232);
});
