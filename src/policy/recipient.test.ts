import { expect, test } from "bun:test";
import { type Address, type Domain, parseAddress } from "../core/address.ts";
import { everyServer } from "./federation.ts";
import { type AccountLookup, judgeRecipient, sortRecipients } from "./recipient.ts";
import { judgeSender, type Speaker } from "./sender.ts";

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

const alice = address("alice@relay.test");
const known = address("bob@relay.test");
const blocked = address("bad@relay.test");
const unknown = address("nobody@relay.test");
const reserved = address("postmaster@relay.test");
const remote = address("carol@peer.test");
const isLocal = (domain: Domain) => domain === "relay.test";
const submission: Speaker = { via: "submission", login: alice };
const smtp: Speaker = { via: "smtp", login: null };
const http: Speaker = { via: "http", login: null };
const existing = new Set([alice, known, blocked, reserved]);
const accounts: AccountLookup = {
  exists: (a) => existing.has(a),
  blocked: (a) => a === blocked,
  quotaBytes: () => 0,
};

const rcptRows: readonly [name: string, speaker: Speaker, recipient: Address, want: string][] = [
  ["a known local name on submission", submission, known, "accept"],
  ["an unknown local name on submission", submission, unknown, "accept"],
  ["a remote name on submission", submission, remote, "accept"],
  ["a known local name from outside", smtp, known, "accept"],
  ["an unknown local name from outside, alike", smtp, unknown, "accept"],
  ["a blocked local name from outside, alike", smtp, blocked, "accept"],
  ["a remote name from outside", smtp, remote, "relayDenied"],
  ["a remote name over HTTP", http, remote, "relayDenied"],
];
for (const [name, speaker, recipient, want] of rcptRows) {
  test(`judgeRecipient() answers ${want} for ${name}`, () => {
    const verdict = judgeRecipient(speaker, recipient, isLocal, everyServer);
    expect(verdict.do === "accept" ? "accept" : verdict.why).toBe(want as never);
  });
}

const senderRows: readonly [name: string, speaker: Speaker, sender: Address | null, want: string][] = [
  ["the login itself", submission, alice, "accept"],
  ["somebody else's address", submission, known, "senderNotYours"],
  ["the null sender on submission", submission, null, "senderNotYours"],
  ["submission without login", { via: "submission", login: null }, alice, "authRequired"],
  ["a remote sender from outside", smtp, remote, "accept"],
  ["the null sender from outside", smtp, null, "accept"],
  ["a local sender from outside", smtp, alice, "senderRefused"],
  ["a local sender over HTTP", http, alice, "senderRefused"],
];
for (const [name, speaker, sender, want] of senderRows) {
  test(`judgeSender() answers ${want} for ${name}`, () => {
    const verdict = judgeSender(speaker, sender, isLocal, everyServer);
    expect(verdict.do === "accept" ? "accept" : verdict.why).toBe(want as never);
  });
}

test("sortRecipients() names each address once, blocked ones as unknown", () => {
  const all = [known, unknown, known, alice, blocked];
  expect(sortRecipients(submission, all, accounts, isLocal, everyServer)).toEqual({
    known: [known, alice],
    unknown: [unknown, blocked],
    remote: [],
    dismissed: [],
  });
});

test("sortRecipients() closes role names to the outside only", () => {
  expect(sortRecipients(smtp, [reserved], accounts, isLocal, everyServer)).toMatchObject({
    known: [],
    unknown: [reserved],
  });
  expect(sortRecipients(submission, [reserved], accounts, isLocal, everyServer)).toMatchObject({
    known: [reserved],
    unknown: [],
  });
});
