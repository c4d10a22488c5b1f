/**
 * Why was this message rejected? The one ordered list of checks that every message passes, wherever it comes from.
 * Pure: facts in, verdict out. The reasons and their texts are in core/verdict.ts; `madmail explain` runs the same list.
 *
 * Invariants
 * - The first check that objects decides; later ones are not asked.
 * - What a check needs is in the facts; nothing here reads a message, a clock or a cache.
 */
import { type Address, type Domain, domainOf, localpartOf, parseAddress } from "../core/address.ts";
import { HEADER_MAX_BYTES, RECEIVED_MAX_COUNT } from "../core/limits.ts";
import { accept, type Refusal, refuse, type Verdict } from "../core/verdict.ts";
import type { GateFlaw, MessageFacts, MessageKind } from "../pgp/facts.ts";

/** Local part whose mail from outside is dropped: notices of the operator are made on this machine only. */
const RESERVED_SENDER = "admin";

/** Who hands the message in, and how. An envelope has these fields; so has an IMAP APPEND (sender null). */
export interface MessageOrigin {
  via: "submission" | "smtp" | "http" | "append";
  /** Who is logged in; null where nobody is. */
  login: Address | null;
  /** Reverse-path; null is `<>`. */
  sender: Address | null;
}

/** What was found out about where mail from outside comes from (policy/origin.ts). */
export type OriginFact =
  /** A valid signature by the domain of From. */
  | "signed"
  /** From is at an IP address, which has no keys. */
  | "literal"
  | "unsigned"
  | "badSignature"
  /** A key could not be looked up. */
  | "unclear"
  /** The operator does not ask, or the origin is a login. */
  | "unasked";

/** What the checks look at, but for the origin. */
export interface ContentFacts {
  /** Bytes as they came. */
  bytes: number;
  /** Largest size allowed, bytes. */
  bytesMax: number;
  message: MessageFacts;
  /** Whether addresses of this domain live here. */
  isLocal(domain: Domain): boolean;
  /** Whether mail by authors of this domain is welcome; absent where nobody knows. */
  judgePeer?(domain: Domain): Verdict;
}

/** What the checks look at. */
export interface AdmitFacts extends ContentFacts {
  origin: OriginFact;
}

export type CheckName =
  | "size"
  | "headerSize"
  | "headerForm"
  | "from"
  | "loop"
  | "senderIsLogin"
  | "fromIsSender"
  | "reservedSender"
  | "localFrom"
  | "peer"
  | "encryption"
  | "origin";

/** What one check said. `skipped`: it does not concern this kind of origin, or an earlier one objected. */
export interface CheckOutcome {
  check: CheckName;
  outcome: "passed" | "refused" | "dropped" | "skipped";
  why?: Refusal;
  /** Where the gate found the first fault, for `encryption`. */
  flaw?: GateFlaw;
}

export interface Explanation {
  verdict: Verdict;
  checks: readonly CheckOutcome[];
}

type ContentCheck = (facts: ContentFacts, origin: MessageOrigin) => Verdict;
type Check = (facts: AdmitFacts, origin: MessageOrigin) => Verdict;
type Row<C> = readonly [name: CheckName, concerns: readonly Via[], check: C];
type Via = MessageOrigin["via"];

const EVERYWHERE: readonly Via[] = ["submission", "smtp", "http", "append"];
const TRANSPORTED: readonly Via[] = ["submission", "smtp", "http"];
const INBOUND: readonly Via[] = ["smtp", "http"];
const SUBMISSION: readonly Via[] = ["submission"];

/** The order is the policy: cheap and certain first, the gate after them, so that its reason is never a guess. */
const contentChecks: readonly Row<ContentCheck>[] = [
  ["size", EVERYWHERE, (facts) => (facts.bytes > facts.bytesMax ? refuse("messageTooBig") : accept)],
  ["headerSize", EVERYWHERE, checkHeaderSize],
  ["headerForm", EVERYWHERE, checkHeaderForm],
  ["from", TRANSPORTED, (facts) => (fromAddress(facts.message) ? accept : refuse("fromUnusable"))],
  ["loop", INBOUND, checkLoop],
  ["senderIsLogin", SUBMISSION, checkSenderIsLogin],
  ["fromIsSender", SUBMISSION, checkFromIsSender],
  ["reservedSender", INBOUND, checkReservedSender],
  ["localFrom", INBOUND, checkLocalFrom],
  ["peer", INBOUND, checkPeer],
  ["encryption", EVERYWHERE, checkEncryption],
];
/** The origin comes last: it is the only one that may have to wait, for the DNS. */
const checks: readonly Row<Check>[] = [...contentChecks, ["origin", INBOUND, checkOrigin]];

/** The verdict on a complete message. */
export function admit(facts: AdmitFacts, origin: MessageOrigin): Verdict {
  return firstObjection(checks, facts, origin);
}

/** The same without the origin: an objection is final, acceptance is not. */
export function admitContent(facts: ContentFacts, origin: MessageOrigin): Verdict {
  return firstObjection(contentChecks, facts, origin);
}

function firstObjection<F extends ContentFacts>(
  rows: readonly Row<(facts: F, origin: MessageOrigin) => Verdict>[],
  facts: F,
  origin: MessageOrigin,
): Verdict {
  for (const [, concerns, check] of rows) {
    if (!concerns.includes(origin.via)) continue;
    const verdict = check(facts, origin);
    if (verdict.do !== "accept") return verdict;
  }
  return accept;
}

/** The same verdict with what each check said, for the operator. */
export function explain(facts: AdmitFacts, origin: MessageOrigin): Explanation {
  let verdict: Verdict = accept;
  const outcomes = checks.map(([name, concerns, check]): CheckOutcome => {
    if (verdict.do !== "accept" || !concerns.includes(origin.via)) return { check: name, outcome: "skipped" };
    verdict = check(facts, origin);
    if (verdict.do === "accept") return { check: name, outcome: "passed" };
    const said: CheckOutcome = {
      check: name,
      outcome: verdict.do === "drop" ? "dropped" : "refused",
      why: verdict.why,
    };
    const kind = kindOf(facts.message, origin.via);
    return name === "encryption" && kind.kind === "cleartext" ? { ...said, flaw: kind.flaw } : said;
  });
  return { verdict, checks: outcomes };
}

/** The author: the address of the only From field with the only address in it (RFC 5322 §3.6.2). */
export function fromAddress(message: Pick<MessageFacts, "from" | "fromFieldCount">): Address | undefined {
  const [text] = message.from;
  if (message.fromFieldCount !== 1 || message.from.length !== 1 || text === undefined) return undefined;
  return parseAddress(text);
}

function checkHeaderSize(facts: ContentFacts): Verdict {
  const tooBig = !facts.message.headerComplete && facts.bytes > HEADER_MAX_BYTES;
  return tooBig ? refuse("headerTooBig") : accept;
}

/** A header block that never ends within its limit was refused before; here it is one without its blank line. */
function checkHeaderForm(facts: ContentFacts): Verdict {
  const { headerComplete, headerMalformed } = facts.message;
  return headerComplete && !headerMalformed ? accept : refuse("malformedMessage");
}

/** RFC 5321 §6.3. */
function checkLoop(facts: ContentFacts): Verdict {
  return facts.message.receivedCount > RECEIVED_MAX_COUNT ? refuse("mailLoop") : accept;
}

/** RFC 6409 §6.1: bound to the login. Asked at MAIL already; asked again, because a promise is cheap to keep. */
function checkSenderIsLogin(_facts: ContentFacts, origin: MessageOrigin): Verdict {
  if (origin.login === null) return refuse("authRequired");
  return origin.sender === origin.login ? accept : refuse("senderNotYours");
}

function checkFromIsSender(facts: ContentFacts, origin: MessageOrigin): Verdict {
  return fromAddress(facts.message) === origin.sender ? accept : refuse("fromMismatch");
}

function checkReservedSender(facts: ContentFacts, origin: MessageOrigin): Verdict {
  const from = fromAddress(facts.message);
  const reserved = [origin.sender, from].some((a) => a != null && localpartOf(a) === RESERVED_SENDER);
  return reserved ? { do: "drop", why: "silentlyDismissed" } : accept;
}

/**
 * Nobody outside may speak as one of our users: those come by submission. An envelope sender that differs from From
 * is no fault here (lists, SRS); delivery forgets such a sender instead.
 */
function checkLocalFrom(facts: ContentFacts, origin: MessageOrigin): Verdict {
  const from = fromAddress(facts.message);
  const claimed = [origin.sender, from].some((a) => a != null && facts.isLocal(domainOf(a)));
  return claimed ? refuse("senderRefused") : accept;
}

/** The envelope sender was asked about at MAIL; a server that is kept out must not come in under another's. */
function checkPeer(facts: ContentFacts): Verdict {
  const from = fromAddress(facts.message);
  return from === undefined ? accept : (facts.judgePeer?.(domainOf(from)) ?? accept);
}

function checkEncryption(facts: ContentFacts, origin: MessageOrigin): Verdict {
  const { kind } = kindOf(facts.message, origin.via);
  if (kind === "encrypted" || kind === "secureJoinRequest") return accept;
  // A client of ours has no reason to send a delivery report: it would be clear text with a costume.
  return kind === "bounce" && INBOUND.includes(origin.via) ? accept : refuse("encryptionNeeded");
}

const originRefusals: Partial<Record<OriginFact, Refusal>> = {
  unsigned: "unsigned",
  badSignature: "badSignature",
  unclear: "signatureUnclear",
};

function checkOrigin(facts: AdmitFacts): Verdict {
  const why = originRefusals[facts.origin];
  return why === undefined ? accept : refuse(why);
}

function kindOf(message: MessageFacts, via: Via): MessageKind {
  return INBOUND.includes(via) ? message.received : message.submitted;
}
