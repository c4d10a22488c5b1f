import { expect, test } from "bun:test";
import { type Address, type Domain, parseAddress } from "../core/address.ts";
import { HEADER_MAX_BYTES, RECEIVED_MAX_COUNT } from "../core/limits.ts";
import type { Refusal } from "../core/verdict.ts";
import type { MessageFacts } from "../pgp/facts.ts";
import {
  type AdmitFacts,
  admit,
  admitContent,
  type CheckName,
  explain,
  fromAddress,
  type MessageOrigin,
} from "./admit.ts";

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

const alice = address("alice@relay.test");
const remote = address("bob@peer.test");
const submission: MessageOrigin = { via: "submission", login: alice, sender: alice };
const smtp: MessageOrigin = { via: "smtp", login: null, sender: remote };
const http: MessageOrigin = { ...smtp, via: "http" };
const append: MessageOrigin = { via: "append", login: alice, sender: null };

const encrypted: MessageFacts = {
  submitted: { kind: "encrypted" },
  received: { kind: "encrypted" },
  from: ["alice@relay.test"],
  fromFieldCount: 1,
  receivedCount: 0,
  headerComplete: true,
  headerMalformed: false,
};
const fromRemote: MessageFacts = { ...encrypted, from: ["bob@peer.test"] };
const cleartext = { kind: "cleartext", flaw: "notMultipartEncrypted" } as const;
const bounce: MessageFacts = {
  ...fromRemote,
  from: ["MAILER-DAEMON@peer.test"],
  submitted: cleartext,
  received: { kind: "bounce" },
};
const secureJoin = { kind: "secureJoinRequest" } as const;

function facts(message: MessageFacts, over: Partial<AdmitFacts> = {}): AdmitFacts {
  const isLocal = (domain: Domain) => domain === "relay.test" || domain === "[192.0.2.1]";
  return { bytes: 10_000, bytesMax: 1_000_000, message, isLocal, origin: "signed", ...over };
}

type Row = readonly [
  name: string,
  origin: MessageOrigin,
  facts: AdmitFacts,
  want: "accept" | Refusal,
  check?: CheckName,
];
const rows: readonly Row[] = [
  ["takes an encrypted submission", submission, facts(encrypted), "accept"],
  [
    "takes a submitted Secure-Join request",
    submission,
    facts({ ...encrypted, submitted: secureJoin }),
    "accept",
  ],
  [
    "compares From with the sender without case",
    submission,
    facts({ ...encrypted, from: ["Alice@Relay.TEST"] }),
    "accept",
  ],
  [
    "takes a message of exactly the largest size",
    submission,
    facts(encrypted, { bytes: 1_000_000 }),
    "accept",
  ],
  ["refuses one byte more", submission, facts(encrypted, { bytes: 1_000_001 }), "messageTooBig", "size"],
  [
    "refuses a header block beyond its limit",
    submission,
    facts({ ...encrypted, headerComplete: false }, { bytes: HEADER_MAX_BYTES + 1 }),
    "headerTooBig",
    "headerSize",
  ],
  [
    "refuses a message that ends in its header",
    smtp,
    facts({ ...fromRemote, headerComplete: false }),
    "malformedMessage",
    "headerForm",
  ],
  [
    "refuses bare line ends in the header",
    submission,
    facts({ ...encrypted, headerMalformed: true }),
    "malformedMessage",
    "headerForm",
  ],
  [
    "refuses no From field",
    submission,
    facts({ ...encrypted, from: [], fromFieldCount: 0 }),
    "fromUnusable",
    "from",
  ],
  ["refuses two From fields", smtp, facts({ ...fromRemote, fromFieldCount: 2 }), "fromUnusable", "from"],
  [
    "refuses two addresses in From",
    submission,
    facts({ ...encrypted, from: ["alice@relay.test", "bob@peer.test"] }),
    "fromUnusable",
    "from",
  ],
  [
    "refuses a From that is no address",
    http,
    facts({ ...fromRemote, from: ["bob"] }),
    "fromUnusable",
    "from",
  ],
  [
    "refuses a submission without login",
    { ...submission, login: null },
    facts(encrypted),
    "authRequired",
    "senderIsLogin",
  ],
  [
    "refuses a submission as somebody else",
    { ...submission, sender: address("eve@relay.test") },
    facts(encrypted),
    "senderNotYours",
    "senderIsLogin",
  ],
  ["refuses a submission from nobody", { ...submission, sender: null }, facts(encrypted), "senderNotYours"],
  ["refuses a forged From on submission", submission, facts(fromRemote), "fromMismatch", "fromIsSender"],
  [
    "refuses a plain submission",
    submission,
    facts({ ...encrypted, submitted: cleartext, received: cleartext }),
    "encryptionNeeded",
    "encryption",
  ],
  [
    "refuses on submission what only peers may send",
    submission,
    facts({ ...encrypted, submitted: { kind: "cleartext", flaw: "armorHeader" } }),
    "encryptionNeeded",
  ],
  [
    "refuses a delivery report by a client",
    submission,
    facts({ ...encrypted, submitted: { kind: "bounce" } }),
    "encryptionNeeded",
  ],
  ["takes encrypted mail from outside", smtp, facts(fromRemote), "accept"],
  ["takes it over HTTP too", http, facts(fromRemote), "accept"],
  ["takes a bounce from outside", { ...smtp, sender: null }, facts(bounce), "accept"],
  [
    "takes a Secure-Join request from outside",
    smtp,
    facts({ ...fromRemote, received: secureJoin }),
    "accept",
  ],
  [
    "does not mind another envelope sender from outside",
    { ...smtp, sender: address("srs0=x@list.test") },
    facts(fromRemote),
    "accept",
  ],
  [
    "judges mail from outside by the tolerant view",
    smtp,
    facts({ ...fromRemote, submitted: { kind: "cleartext", flaw: "armorHeader" } }),
    "accept",
  ],
  [
    "refuses plain mail from outside",
    smtp,
    facts({ ...fromRemote, received: cleartext }),
    "encryptionNeeded",
  ],
  [
    "takes as many Received fields as allowed",
    smtp,
    facts({ ...fromRemote, receivedCount: RECEIVED_MAX_COUNT }),
    "accept",
  ],
  [
    "refuses a loop",
    smtp,
    facts({ ...fromRemote, receivedCount: RECEIVED_MAX_COUNT + 1 }),
    "mailLoop",
    "loop",
  ],
  [
    "drops mail from a reserved sender",
    { ...smtp, sender: address("admin@peer.test") },
    facts(fromRemote),
    "silentlyDismissed",
    "reservedSender",
  ],
  [
    "drops mail with a reserved From",
    smtp,
    facts({ ...fromRemote, from: ["Admin@peer.test"] }),
    "silentlyDismissed",
  ],
  ["refuses a local From without login", smtp, facts(encrypted), "senderRefused", "localFrom"],
  ["refuses a local sender without login", { ...http, sender: alice }, facts(fromRemote), "senderRefused"],
  [
    "refuses a From at the relay's bare IP without login",
    { ...smtp, sender: null },
    facts({ ...fromRemote, from: ["alice@192.0.2.1"] }),
    "senderRefused",
  ],
  ["takes mail from an IP address unsigned", smtp, facts(fromRemote, { origin: "literal" }), "accept"],
  ["takes mail unasked where the check is off", http, facts(fromRemote, { origin: "unasked" }), "accept"],
  ["refuses unsigned mail", smtp, facts(fromRemote, { origin: "unsigned" }), "unsigned", "origin"],
  ["refuses an unsigned bounce", http, facts(bounce, { origin: "unsigned" }), "unsigned", "origin"],
  ["takes a signed bounce", { ...smtp, sender: null }, facts(bounce), "accept"],
  [
    "refuses mail without a valid signature",
    http,
    facts(fromRemote, { origin: "badSignature" }),
    "badSignature",
    "origin",
  ],
  [
    "refuses for now what the DNS could not decide",
    smtp,
    facts(fromRemote, { origin: "unclear" }),
    "signatureUnclear",
    "origin",
  ],
  ["asks no signature of a submission", submission, facts(encrypted, { origin: "unsigned" }), "accept"],
  [
    "says first that mail is not encrypted, signed or not",
    smtp,
    facts({ ...fromRemote, received: cleartext }, { origin: "unsigned" }),
    "encryptionNeeded",
    "encryption",
  ],
  ["takes an encrypted APPEND by another author", append, facts(fromRemote), "accept"],
  [
    "takes an appended Secure-Join request",
    append,
    facts({ ...fromRemote, submitted: secureJoin }),
    "accept",
  ],
  ["refuses a plain APPEND", append, facts({ ...encrypted, submitted: cleartext }), "encryptionNeeded"],
  ["refuses a bounce by APPEND", append, facts(bounce), "encryptionNeeded"],
];

for (const [name, origin, input, want, check] of rows) {
  test(`admit() ${name}`, () => {
    const verdict = admit(input, origin);
    expect(verdict.do === "accept" ? "accept" : verdict.why).toBe(want);
    const told = explain(input, origin);
    expect(told.verdict).toEqual(verdict);
    const objections = told.checks.filter((c) => c.outcome === "refused" || c.outcome === "dropped");
    const early = admitContent(input, origin);
    expect(early).toEqual(objections[0]?.check === "origin" ? { do: "accept" } : verdict);
    expect(objections.map((c) => c.why)).toEqual(want === "accept" ? [] : [want]);
    if (check !== undefined) expect(objections[0]?.check).toBe(check);
  });
}

test("every reason that a message can be judged by has a row", () => {
  const covered = new Set(rows.map(([, , , want]) => want));
  const reasons: Refusal[] = [
    "messageTooBig",
    "headerTooBig",
    "malformedMessage",
    "fromUnusable",
    "mailLoop",
    "authRequired",
    "senderNotYours",
    "fromMismatch",
    "silentlyDismissed",
    "senderRefused",
    "encryptionNeeded",
    "unsigned",
    "badSignature",
    "signatureUnclear",
  ];
  expect(reasons.filter((why) => !covered.has(why))).toEqual([]);
});

test("admit() drops, not refuses, what is dismissed in silence", () => {
  const verdict = admit(facts({ ...fromRemote, from: ["admin@peer.test"] }), smtp);
  expect(verdict).toEqual({ do: "drop", why: "silentlyDismissed" });
});

test("explain() names the first objection, its flaw, and skips the rest", () => {
  const told = explain(facts({ ...encrypted, submitted: cleartext }), submission);
  expect(told.checks.at(-2)).toEqual({
    check: "encryption",
    outcome: "refused",
    why: "encryptionNeeded",
    flaw: "notMultipartEncrypted",
  });
  const early = explain(facts({ ...encrypted, submitted: cleartext }, { bytes: 2_000_000 }), submission);
  expect(early.checks.map((c) => c.outcome)).toEqual(["refused", ...Array(11).fill("skipped")]);
});

test("fromAddress() normalises the only author", () => {
  expect(fromAddress({ ...encrypted, from: ["A@192.0.2.1"] })).toBe(address("a@[192.0.2.1]"));
  expect(fromAddress({ ...encrypted, from: [] })).toBeUndefined();
});
