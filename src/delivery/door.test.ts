import { expect, test } from "bun:test";
import { type Address, parseAddress, parseDomain } from "../core/address.ts";
import { concat, fromLatin1, toLatin1 } from "../core/bytes.ts";
import { ManualClock } from "../core/clock.ts";
import type { Verdict } from "../core/verdict.ts";
import type { Event, Log } from "../log/events.ts";
import { armor, fakePackets, pgpMime, secureJoinRequest } from "../pgp/fixtures.test-help.ts";
import {
  type DeliveryTarget,
  type MailAccount,
  type Parcel,
  type SealedMessage,
  type Spool,
  type SpoolOptions,
  StorageError,
  type StorageFault,
} from "../storage/store.ts";
import type { OriginFact } from "../policy/admit.ts";
import { type OriginGate, unasked } from "../policy/origin.ts";
import { AppendDoor } from "./append.ts";
import { Door, type DoorSettings } from "./door.ts";
import type { DeliveryListener } from "./report.ts";
import type { Envelope } from "./intake.ts";
import { decodeLetter, type Letter } from "./queue/letter.ts";

const DAY_MS = 86_400_000;

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

const alice = address("alice@relay.test");
const bob = address("bob@relay.test");
const carol = address("carol@relay.test");
const gone = address("gone@relay.test");
const bad = address("bad@relay.test");
const stranger = address("stranger@peer.test");

/** Mailboxes as lists of texts. */
class FakeStore {
  readonly mailboxes = new Map<Address, { text: string; atMs: number }[]>();
  readonly clock: ManualClock;
  openSpools = 0;
  loads = 0;
  writeFault: StorageFault | undefined;
  deliverFault: StorageFault | undefined;
  /** Runs inside `account`, before it answers. */
  onLoad: () => void = () => {};

  constructor(clock: ManualClock) {
    this.clock = clock;
  }

  texts(user: Address): string[] {
    return (this.mailboxes.get(user) ?? []).map((mail) => mail.text);
  }

  put(user: Address, text: string): void {
    const mails = this.mailboxes.get(user) ?? [];
    mails.push({ text, atMs: this.clock.nowMs() });
    this.mailboxes.set(user, mails);
  }

  spool(options: SpoolOptions): Spool {
    const chunks: Uint8Array[] = [];
    let open = true;
    let bytes = 0;
    this.openSpools++;
    const discard = () => {
      if (open) this.openSpools--;
      open = false;
    };
    return {
      get bytes() {
        return bytes;
      },
      write: (chunk) => {
        if (this.writeFault !== undefined) throw new StorageError(this.writeFault, "as told");
        bytes += chunk.length;
        if (bytes > options.maxBytes) throw new StorageError("tooBig", "spool");
        chunks.push(chunk.slice());
      },
      seal: (header) => {
        const sealed = { bytes, header, discard, text: toLatin1(concat(chunks)) };
        return sealed;
      },
      discard,
    };
  }

  readonly parcels: Parcel[] = [];

  async deliver(message: SealedMessage, targets: readonly DeliveryTarget[], parcel?: Parcel): Promise<void> {
    await Promise.resolve();
    if (parcel !== undefined && this.deliverFault === undefined) this.parcels.push(parcel);
    if (this.deliverFault !== undefined) throw new StorageError(this.deliverFault, "as told");
    for (const { user, mailbox } of targets) {
      expect(mailbox).toBe("INBOX");
      this.put(user, (message as SealedMessage & { text: string }).text);
    }
  }

  async account(user: Address): Promise<MailAccount> {
    this.loads++;
    await Promise.resolve();
    this.onLoad();
    const mails = () => this.mailboxes.get(user) ?? [];
    const used = () => mails().reduce((sum, mail) => sum + mail.text.length, 0);
    return {
      get usedBytes() {
        return used();
      },
      expireOldest: async (bytes: number, olderThanMs: number) => {
        await Promise.resolve();
        const goal = used() - bytes;
        const before = used();
        while (used() > goal && (mails()[0]?.atMs ?? Infinity) < olderThanMs) mails().shift();
        return before - used();
      },
    } as MailAccount;
  }
}

interface World {
  door: Door;
  appends: AppendDoor;
  store: FakeStore;
  clock: ManualClock;
  events: Event[];
  quotas: Map<Address, number>;
  totals: Record<string, number>;
  arrived: { id: string; letter: Letter; bytes: number }[];
  heard: string[];
  /** Domains that have no room in the queue. */
  crowded: Set<string>;
  rules: { enabled: boolean; ruled: Set<string>; dismissed: Set<string> };
  /** What the delivery listener heard. */
  told: { users: readonly Address[]; sender: Address | null }[];
}

const settings: DoorSettings = {
  domains: [parseDomain("relay.test") ?? parseDomain("x")].flatMap((d) => d ?? []),
  limits: { message_size: 10_000, recipients: 1000, send_per_minute: 60, send_burst: 3 },
};

function world(gate: OriginGate = { open: () => unasked }): World {
  const clock = new ManualClock();
  const store = new FakeStore(clock);
  const events: Event[] = [];
  const quotas = new Map<Address, number>();
  const log: Log = { emit: (event) => void events.push(event), counts: () => new Map() };
  const existing = new Set([alice, bob, carol, bad]);
  const accounts = {
    exists: (a: Address) => existing.has(a),
    blocked: (a: Address) => a === bad,
    quotaBytes: (a: Address) => quotas.get(a) ?? 0,
  };
  const totals: Record<string, number> = {};
  const counters = {
    add: (name: string, count = 1) => void (totals[name] = (totals[name] ?? 0) + count),
  };
  const arrived: World["arrived"] = [];
  const heard: string[] = [];
  const crowded = new Set<string>();
  const rules: World["rules"] = { enabled: true, ruled: new Set(), dismissed: new Set() };
  const told: World["told"] = [];
  const onDelivered: DeliveryListener = (users, sender) => void told.push({ users, sender });
  const parts = {
    settings,
    store,
    accounts,
    counters,
    origin: gate,
    onDelivered,
    log,
    clock,
    outgoing: {
      hasRoom: (domain: string) => !crowded.has(domain),
      arrived: (entries: readonly World["arrived"][number][]) => void arrived.push(...entries),
      heardFrom: (domain: string, isProven: boolean) => void heard.push(`${domain}${isProven ? "" : "?"}`),
    },
    federation: {
      get enabled() {
        return rules.enabled;
      },
      policy: "ACCEPT" as const,
      hasRule: (peer: string) => rules.ruled.has(peer),
      isDismissed: (peer: string) => rules.dismissed.has(peer),
    },
  };
  const doors = { door: new Door(parts), appends: new AppendDoor(parts) };
  return { ...doors, store, clock, events, quotas, totals, arrived, heard, told, crowded, rules };
}

const TRACES = "Received: from phone by relay\r\nAuthentication-Results: relay; dkim=pass\r\n";
const X_MAILER = "X-Mailer: phone 1.0\r\n";
const PLAIN = "From: <alice@relay.test>\r\n\r\nhello\r\n";

function message(from: string, dataBytes = 100, more = ""): string {
  const extraHeader = TRACES + X_MAILER + more;
  const armored = armor(fakePackets(dataBytes));
  return pgpMime({ armored, from, messageId: "m1@localhost", subject: "secret", extraHeader });
}
/** As a message by a user of ours is stored. */
function cleaned(text: string): string {
  return text.replace(TRACES, "").replace(X_MAILER, "").replace("Subject: secret", "Subject: [...]");
}

const submission = (...recipients: Address[]): Envelope => ({
  via: "submission",
  login: alice,
  sender: alice,
  recipients,
});
const inbound = (...recipients: Address[]): Envelope => ({
  via: "smtp",
  login: null,
  sender: stranger,
  recipients,
});

async function send(w: World, envelope: Envelope, text: string, cut?: number): Promise<Verdict> {
  const intake = w.door.open(envelope);
  const bytes = fromLatin1(text);
  if (cut === undefined) intake.write(bytes);
  else {
    intake.write(bytes.subarray(0, cut));
    intake.write(bytes.subarray(cut));
  }
  const verdict = await intake.finish();
  expect(w.store.openSpools).toBe(0);
  return verdict;
}

test("the listener hears who got a message and from whom, before its verdict", async () => {
  const w = world();
  const intake = w.door.open(submission(bob, alice));
  intake.write(fromLatin1(message("alice@relay.test")));
  const verdict = intake.finish().then((given) => ({ given, heard: w.told.length }));
  expect(await verdict).toEqual({ given: { do: "accept" }, heard: 1 });
  expect(w.told).toEqual([{ users: [bob, alice], sender: alice }]);
  await send(w, inbound(carol), message("stranger@elsewhere.test"));
  expect(w.told[1]).toEqual({ users: [carol], sender: stranger });
});

test("the listener hears nothing of what reached nobody, and of a report as from nobody", async () => {
  const w = world();
  await send(w, submission(bob), PLAIN);
  w.store.deliverFault = "failed";
  await send(w, submission(bob), message("alice@relay.test"));
  expect(w.told).toEqual([]);
  w.store.deliverFault = undefined;
  w.quotas.set(carol, 10);
  await send(w, submission(bob, carol), message("alice@relay.test"));
  expect(w.told).toEqual([
    { users: [bob], sender: alice },
    { users: [alice], sender: null },
  ]);
});

test("a submission is delivered to each recipient once, its header cleaned", async () => {
  const w = world();
  const text = message("alice@relay.test");
  expect(await send(w, submission(bob, carol, bob, alice), text)).toEqual({ do: "accept" });
  for (const user of [alice, bob, carol]) expect(w.store.texts(user)).toEqual([cleaned(text)]);
  expect(w.events).toEqual([
    { kind: "messageAccepted", via: "submission", bytes: text.length, recipients: 3 },
  ]);
  expect(w.store.loads).toBe(0);
  expect(w.totals).toEqual({ sent_messages: 1, received_messages: 3 });
});

test("a message is stored alike wherever it is cut", async () => {
  const text = message("alice@relay.test");
  for (let cut = 0; cut <= text.length; cut++) {
    const w = world();
    expect(await send(w, submission(bob), text, cut)).toEqual({ do: "accept" });
    expect(w.store.texts(bob)).toEqual([cleaned(text)]);
  }
});

test("a message is stored alike byte by byte", async () => {
  const w = world();
  const text = message("alice@relay.test");
  const intake = w.door.open(submission(bob));
  const borrowed = new Uint8Array(1);
  for (const byte of fromLatin1(text)) {
    borrowed[0] = byte;
    intake.write(borrowed);
  }
  expect(await intake.finish()).toEqual({ do: "accept" });
  expect(w.store.texts(bob)).toEqual([cleaned(text)]);
});

test("a Secure-Join request passes though it is clear text", async () => {
  const w = world();
  expect(await send(w, submission(bob), secureJoinRequest())).toEqual({ do: "accept" });
  expect(w.store.texts(bob)).toEqual([secureJoinRequest()]);
});

test("mail from outside gets the inbound cleaning", async () => {
  const w = world();
  expect(await send(w, inbound(bob), message("stranger@peer.test"))).toEqual({ do: "accept" });
  expect(w.store.texts(bob)).toEqual([message("stranger@peer.test").replace(TRACES, "")]);
  expect(w.totals).toEqual({ received_messages: 1 });
});

test("what admission refuses is stored nowhere and counted by its reason", async () => {
  const w = world();
  const verdict = await send(w, submission(bob), PLAIN);
  expect(verdict).toEqual({ do: "refuse", why: "encryptionNeeded" });
  expect(w.store.texts(bob)).toEqual([]);
  expect(w.events).toEqual([{ kind: "messageRefused", via: "submission", why: "encryptionNeeded" }]);
  expect(w.totals).toEqual({});
});

test("what admission drops is stored nowhere", async () => {
  const w = world();
  const verdict = await send(w, inbound(bob), message("admin@peer.test"));
  expect(verdict).toEqual({ do: "drop", why: "silentlyDismissed" });
  expect(w.store.texts(bob)).toEqual([]);
});

test("a message of exactly the largest size passes, one byte more does not", async () => {
  const w = world();
  const padding = 10_000 - message("alice@relay.test").length;
  const padded = (bytes: number) => message("alice@relay.test", 100, `X-Pad: ${"x".repeat(bytes - 9)}\r\n`);
  const fits = padded(padding);
  expect(fits).toHaveLength(10_000);
  expect(await send(w, submission(bob), fits)).toEqual({ do: "accept" });
  expect(await send(w, submission(bob), padded(padding + 1))).toEqual({ do: "refuse", why: "messageTooBig" });
  expect(await send(w, submission(bob), padded(padding + 1), 500)).toEqual({
    do: "refuse",
    why: "messageTooBig",
  });
  expect(w.store.texts(bob)).toHaveLength(1);
});

test("a message too big is drained without being kept", () => {
  const w = world();
  const intake = w.door.open(submission(bob));
  intake.write(fromLatin1(message("alice@relay.test")));
  expect(w.store.openSpools).toBe(1);
  for (let i = 0; i < 20; i++) intake.write(new Uint8Array(1000));
  expect(w.store.openSpools).toBe(0);
  intake.abort();
});

test("a message without the end of its header is malformed", async () => {
  const w = world();
  const verdict = await send(w, submission(bob), "From: alice@relay.test\r\n");
  expect(verdict).toEqual({ do: "refuse", why: "malformedMessage" });
});

const storageRows: readonly [fault: StorageFault, where: "write" | "deliver", want: string][] = [
  ["full", "write", "storageFull"],
  ["failed", "write", "storageFailed"],
  ["full", "deliver", "storageFull"],
  ["failed", "deliver", "storageFailed"],
];
for (const [fault, where, want] of storageRows) {
  test(`storage that is ${fault} at ${where} answers ${want}`, async () => {
    const w = world();
    if (where === "write") w.store.writeFault = fault;
    else w.store.deliverFault = fault;
    const verdict = await send(w, submission(bob), message("alice@relay.test"));
    expect(verdict).toEqual({ do: "refuse", why: want as never });
    expect(w.store.texts(bob)).toEqual([]);
    expect(w.events).toEqual([{ kind: "messageRefused", via: "submission", why: want as never }]);
  });
}

test("a message whose storage failed half-way is refused for now, never judged by its first half", async () => {
  const w = world();
  const intake = w.door.open(submission(bob));
  const text = message("alice@relay.test");
  const half = text.indexOf("-----BEGIN PGP MESSAGE-----");
  w.store.writeFault = "full";
  intake.write(fromLatin1(text.slice(0, half)));
  intake.write(fromLatin1(text.slice(half)));
  expect(await intake.finish()).toEqual({ do: "refuse", why: "storageFull" });
});

test("a fault of our own is a temporary refusal and an internal fault", async () => {
  const w = world();
  w.store.deliver = () => Promise.reject(new Error("bug"));
  const verdict = await send(w, submission(bob), message("alice@relay.test"));
  expect(verdict).toEqual({ do: "refuse", why: "storageFailed" });
  expect(w.events[0]?.kind).toBe("internalFault");
});

test("a spool that can't be thrown away does not change the verdict", async () => {
  const w = world();
  const spool = w.store.spool.bind(w.store);
  w.store.spool = (options) => ({
    ...spool(options),
    discard: () => {
      throw new StorageError("failed", "as told");
    },
  });
  const intake = w.door.open(submission(bob));
  intake.write(fromLatin1(message("alice@relay.test")));
  expect(await intake.finish()).toEqual({ do: "accept" });
  expect(w.store.texts(bob)).toHaveLength(1);
  const tooBig = w.door.open(submission(bob));
  tooBig.write(fromLatin1(message("alice@relay.test")));
  tooBig.write(new Uint8Array(20_000));
  tooBig.abort();
  expect((await tooBig.finish()).do).toBe("refuse");
});

test("nobody of the recipients exists: the submitting user hears it, the outside does not", async () => {
  const w = world();
  expect(await send(w, submission(gone, bad), message("alice@relay.test"))).toEqual({
    do: "refuse",
    why: "recipientUnknown",
  });
  expect(await send(w, inbound(gone, bad), message("stranger@peer.test"))).toEqual({
    do: "drop",
    why: "silentlyDismissed",
  });
  expect(w.store.texts(bad)).toEqual([]);
});

test("an unknown member of a group comes back as a report, the others get the message", async () => {
  const w = world();
  expect(await send(w, submission(bob, gone), message("alice@relay.test"))).toEqual({ do: "accept" });
  expect(w.store.texts(bob)).toHaveLength(1);
  const [report = ""] = w.store.texts(alice);
  expect(report).toContain("Final-Recipient: rfc822; gone@relay.test\r\n");
  expect(report).toContain("Message-ID: <m1@localhost>\r\n");
  expect(report).not.toContain("bob@relay.test");
  expect(w.store.texts(alice)).toHaveLength(1);
});

test("from outside unknown recipients vanish beside known ones, without a report", async () => {
  const w = world();
  expect(await send(w, inbound(bob, gone), message("stranger@peer.test"))).toEqual({ do: "accept" });
  expect([...w.store.mailboxes.keys()]).toEqual([bob]);
  expect(w.events).toContainEqual({ kind: "messageDropped", via: "smtp", why: "recipientUnknown" });
});

test("a report that can't be stored does not undo the delivery", async () => {
  const w = world();
  const deliver = w.store.deliver.bind(w.store);
  w.store.deliver = (sealed, targets) => {
    if (targets[0]?.user === alice) return Promise.reject(new StorageError("full", "as told"));
    return deliver(sealed, targets);
  };
  expect(await send(w, submission(bob, gone), message("alice@relay.test"))).toEqual({ do: "accept" });
  expect(w.store.texts(bob)).toHaveLength(1);
  expect(w.events.at(-1)).toEqual({ kind: "storageTrouble", what: "delivery report lost: storageFull" });
});

test("quota: as much as the limit passes, one byte more is refused when it is the only mailbox", async () => {
  const w = world();
  const text = message("alice@relay.test");
  const stored = cleaned(text).length;
  w.quotas.set(bob, 2 * stored);
  expect(await send(w, submission(bob), text)).toEqual({ do: "accept" });
  expect(await send(w, submission(bob), text)).toEqual({ do: "accept" });
  expect(await send(w, submission(bob), text)).toEqual({ do: "refuse", why: "mailboxFull" });
  expect(w.store.texts(bob)).toHaveLength(2);
});

test("quota: mail older than a day makes way, younger mail never", async () => {
  const w = world();
  const text = message("alice@relay.test");
  w.quotas.set(bob, 2 * cleaned(text).length);
  w.store.put(bob, "o".repeat(cleaned(text).length));
  w.clock.advance(DAY_MS - 1);
  w.store.put(bob, "young");
  expect(await send(w, submission(bob), text)).toEqual({ do: "refuse", why: "mailboxFull" });
  w.clock.advance(2);
  expect(await send(w, submission(bob), text)).toEqual({ do: "accept" });
  expect(w.store.texts(bob)).toEqual(["young", cleaned(text)]);
});

test("quota: a message that never fits expires nothing", async () => {
  const w = world();
  w.quotas.set(bob, 10);
  w.store.put(bob, "old mail");
  w.clock.advance(2 * DAY_MS);
  expect(await send(w, submission(bob), message("alice@relay.test"))).toEqual({
    do: "refuse",
    why: "mailboxFull",
  });
  expect(w.store.texts(bob)).toEqual(["old mail"]);
});

test("quota: one full mailbox does not fail the others; its message comes back as a report", async () => {
  const w = world();
  w.quotas.set(bob, 10);
  expect(await send(w, submission(bob, carol), message("alice@relay.test"))).toEqual({ do: "accept" });
  expect(w.store.texts(bob)).toEqual([]);
  expect(w.store.texts(carol)).toHaveLength(1);
  expect(w.store.texts(alice)[0]).toContain("Final-Recipient: rfc822; bob@relay.test\r\n");
  expect(w.store.texts(alice)[0]).toContain("Status: 5.2.2\r\n");
});

test("quota: messages side by side do not share one gap", async () => {
  const w = world();
  const text = message("alice@relay.test");
  w.quotas.set(bob, cleaned(text).length);
  const verdicts = await Promise.all(
    [1, 2, 3].map(() => {
      const intake = w.door.open(submission(bob));
      intake.write(fromLatin1(text));
      return intake.finish();
    }),
  );
  expect(verdicts.map((verdict) => verdict.do).sort()).toEqual(["accept", "refuse", "refuse"]);
  expect(w.store.texts(bob)).toHaveLength(1);
  w.store.mailboxes.delete(bob);
  expect(await send(w, submission(bob), text)).toEqual({ do: "accept" });
});

test("quota: an account that can't be loaded is a temporary refusal and keeps no reservation", async () => {
  const w = world();
  const text = message("alice@relay.test");
  w.quotas.set(bob, cleaned(text).length);
  w.quotas.set(carol, 1000);
  const account = w.store.account.bind(w.store);
  w.store.account = (user) =>
    user === carol ? Promise.reject(new StorageError("failed", "as told")) : account(user);
  expect(await send(w, submission(bob, carol), text)).toEqual({ do: "refuse", why: "storageFailed" });
  expect(await send(w, submission(bob), text)).toEqual({ do: "accept" });
});

test("abort before the end leaves nothing, and what comes after is ignored", async () => {
  const w = world();
  const intake = w.door.open(submission(bob));
  intake.write(fromLatin1(message("alice@relay.test")));
  intake.abort();
  expect(w.store.openSpools).toBe(0);
  intake.write(fromLatin1("more"));
  expect((await intake.finish()).do).toBe("refuse");
  expect(w.store.texts(bob)).toEqual([]);
});

test("abort while room is made gives up before delivery", async () => {
  const w = world();
  w.quotas.set(bob, 1000);
  const intake = w.door.open(submission(bob));
  w.store.onLoad = () => intake.abort();
  intake.write(fromLatin1(message("alice@relay.test")));
  expect((await intake.finish()).do).toBe("refuse");
  expect(w.store.texts(bob)).toEqual([]);
  expect(w.store.openSpools).toBe(0);
});

test("abort while room is made refuses at once, though storage hangs, and nothing is delivered when it comes back", async () => {
  const w = world();
  w.quotas.set(bob, 1000);
  const loading = Promise.withResolvers<void>();
  const account = w.store.account.bind(w.store);
  w.store.account = (user) => loading.promise.then(() => account(user));
  const intake = w.door.open(submission(bob));
  intake.write(fromLatin1(message("alice@relay.test")));
  const verdict = intake.finish();
  intake.abort();
  expect(await verdict).toEqual({ do: "refuse", why: "storageFailed" });
  loading.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect(w.store.texts(bob)).toEqual([]);
  expect(w.store.openSpools).toBe(0);
});

test("abort while delivery runs leaves the message whole and no spool", async () => {
  const w = world();
  const intake = w.door.open(submission(bob));
  const deliver = w.store.deliver.bind(w.store);
  w.store.deliver = (sealed, targets) => {
    intake.abort();
    return deliver(sealed, targets);
  };
  intake.write(fromLatin1(message("alice@relay.test")));
  expect(await intake.finish()).toEqual({ do: "accept" });
  expect(w.store.texts(bob)).toHaveLength(1);
  expect(w.store.openSpools).toBe(0);
});

test("finish() twice is one message", async () => {
  const w = world();
  const intake = w.door.open(submission(bob));
  intake.write(fromLatin1(message("alice@relay.test")));
  await Promise.all([intake.finish(), intake.finish()]);
  expect(w.store.texts(bob)).toHaveLength(1);
});

test("judgeSender() holds back an account that sent its burst, until the rate allows more", async () => {
  const w = world();
  const who = { via: "submission", login: alice } as const;
  for (let i = 0; i < 3; i++) {
    expect(w.door.judgeSender(who, alice)).toEqual({ do: "accept" });
    expect(w.door.judgeSender(who, alice)).toEqual({ do: "accept" });
    w.door.open(submission(bob)).abort();
  }
  expect(w.door.judgeSender(who, alice)).toEqual({ do: "refuse", why: "tooMuchMail" });
  expect(w.door.judgeSender({ via: "submission", login: bob }, bob)).toEqual({ do: "accept" });
  expect(w.door.judgeSender(who, bob)).toEqual({ do: "refuse", why: "senderNotYours" });
  w.clock.advance(1000);
  expect(w.door.judgeSender(who, alice)).toEqual({ do: "accept" });
});

test("judgeRecipient() knows the local domains, and reconfigure() changes them", () => {
  const w = world();
  const who = { via: "smtp", login: null } as const;
  expect(w.door.judgeRecipient(who, null, bob)).toEqual({ do: "accept" });
  expect(w.door.judgeRecipient(who, null, stranger)).toEqual({ do: "refuse", why: "relayDenied" });
  const domains = ["peer.test"].flatMap((d) => parseDomain(d) ?? []);
  w.door.reconfigure({ domains, limits: { ...settings.limits, message_size: 5, recipients: 200 } });
  expect(w.door.judgeRecipient(who, null, stranger)).toEqual({ do: "accept" });
  expect([w.door.messageMaxBytes, w.door.recipientsMax]).toEqual([5, 200]);
});

async function append(w: World, text: string) {
  const intake = w.appends.open(alice);
  intake.write(fromLatin1(text));
  return await intake.finish();
}

test("APPEND hands over the message as it came, whoever wrote it", async () => {
  const w = world();
  const text = message("stranger@peer.test");
  const { verdict, message: sealed } = await append(w, text);
  expect(verdict).toEqual({ do: "accept" });
  expect((sealed as SealedMessage & { text: string }).text).toBe(text);
  expect(toLatin1(sealed?.header ?? new Uint8Array(0))).toBe(text.slice(0, text.indexOf("\r\n\r\n") + 4));
  sealed?.discard();
  expect(w.store.openSpools).toBe(0);
});

const appendRows: readonly [name: string, text: string, quota: number, want: string][] = [
  ["plain text", PLAIN, 0, "encryptionNeeded"],
  ["a message too big", message("alice@relay.test", 10_000), 0, "messageTooBig"],
  ["a message without header end", "From: a@b.test\r\n", 0, "malformedMessage"],
  ["a message over quota", message("alice@relay.test"), 10, "mailboxFull"],
];
for (const [name, text, quota, want] of appendRows) {
  test(`APPEND of ${name} is refused with ${want} and leaves nothing`, async () => {
    const w = world();
    if (quota > 0) w.quotas.set(alice, quota);
    const { verdict, message: sealed } = await append(w, text);
    expect(verdict).toEqual({ do: "refuse", why: want as never });
    expect(sealed).toBeUndefined();
    expect(w.store.openSpools).toBe(0);
    expect(w.events).toEqual([{ kind: "messageRefused", via: "append", why: want as never }]);
  });
}

test("an aborted APPEND leaves nothing", async () => {
  const w = world();
  const intake = w.appends.open(alice);
  intake.write(fromLatin1(message("alice@relay.test")));
  intake.abort();
  expect(w.store.openSpools).toBe(0);
  w.quotas.set(alice, 1000);
  const late = w.appends.open(alice);
  w.store.onLoad = () => late.abort();
  late.write(fromLatin1(message("alice@relay.test")));
  expect((await late.finish()).message).toBeUndefined();
  expect(w.store.openSpools).toBe(0);
});

/** A gate whose finding is set, and which notes what it was shown. */
function gateOf(fact: OriginFact) {
  const seen = { opened: 0, asked: 0, header: "", body: "" };
  const gate: OriginGate = {
    open: () => {
      seen.opened++;
      return {
        header: (block) => void (seen.header += toLatin1(block)),
        body: (chunk) => void (seen.body += toLatin1(chunk)),
        finding: () => {
          seen.asked++;
          return Promise.resolve({ fact, outcomes: [] });
        },
      };
    },
  };
  return { gate, seen };
}

const originRows: readonly [fact: OriginFact, want: Verdict][] = [
  ["signed", { do: "accept" }],
  ["literal", { do: "accept" }],
  ["unasked", { do: "accept" }],
  ["unsigned", { do: "refuse", why: "unsigned" }],
  ["badSignature", { do: "refuse", why: "badSignature" }],
  ["unclear", { do: "refuse", why: "signatureUnclear" }],
];
for (const [fact, want] of originRows) {
  test(`mail from outside whose origin is ${fact}: ${want.do}`, async () => {
    const text = message("stranger@peer.test");
    for (const via of ["smtp", "http"] as const) {
      const { gate, seen } = gateOf(fact);
      const w = world(gate);
      expect(await send(w, { ...inbound(bob), via }, text, 700)).toEqual(want);
      expect(w.store.texts(bob)).toHaveLength(want.do === "accept" ? 1 : 0);
      // It sees what came, not what is stored.
      expect(seen.header + seen.body).toBe(text);
    }
  });
}

test("a submission is not asked for its origin", async () => {
  const { gate, seen } = gateOf("unsigned");
  expect(await send(world(gate), submission(bob), message("alice@relay.test"))).toEqual({ do: "accept" });
  expect(seen.opened).toBe(0);
});

test("what is refused anyway does not wait for keys", async () => {
  const { gate, seen } = gateOf("unclear");
  const verdict = await send(
    world(gate),
    inbound(bob),
    PLAIN.replace("alice@relay.test", "stranger@peer.test"),
  );
  expect(verdict).toEqual({ do: "refuse", why: "encryptionNeeded" });
  expect(seen.asked).toBe(0);
});

const dave = address("dave@peer.test");
const erin = address("erin@peer.test");
const frank = address("frank@other.test");

test("a message to local and remote recipients is one step: mailboxes, and one letter for each domain", async () => {
  const w = world();
  const text = message("alice@relay.test");
  expect(await send(w, submission(bob, dave, frank, erin, dave), text)).toEqual({ do: "accept" });
  expect(w.store.texts(bob)).toEqual([cleaned(text)]);
  const letters = w.store.parcels.flatMap(({ notes }) => notes.flatMap((note) => decodeLetter(note) ?? []));
  expect(letters.map(({ domain, recipients }) => `${domain}: ${recipients.join(" ")}`)).toEqual([
    "peer.test: dave@peer.test erin@peer.test",
    "other.test: frank@other.test",
  ]);
  expect(letters.map(({ sender }) => sender)).toEqual([alice, alice]);
  expect(w.arrived.map(({ letter }) => letter)).toEqual(letters);
  expect(w.arrived.every(({ bytes }) => bytes === cleaned(text).length)).toBe(true);
  expect(w.totals).toEqual({ sent_messages: 1, outbound_messages: 1, received_messages: 1 });
});

test("a message to remote recipients only loads no mailbox", async () => {
  const w = world();
  expect(await send(w, submission(dave), message("alice@relay.test"))).toEqual({ do: "accept" });
  expect(w.store.loads).toBe(0);
  expect(w.store.mailboxes.size).toBe(0);
  expect(w.arrived).toHaveLength(1);
});

test("what storage refuses is queued nowhere", async () => {
  const w = world();
  w.store.deliverFault = "full";
  const verdict = await send(w, submission(bob, dave), message("alice@relay.test"));
  expect(verdict).toEqual({ do: "refuse", why: "storageFull" });
  expect(w.arrived).toEqual([]);
  expect(w.totals).toEqual({});
});

test("a full mailbox here does not keep the message from other servers, and is reported", async () => {
  const w = world();
  w.quotas.set(bob, 10);
  expect(await send(w, submission(bob, dave), message("alice@relay.test"))).toEqual({ do: "accept" });
  expect(w.arrived).toHaveLength(1);
  expect(w.store.texts(alice)[0]).toContain("<bob@relay.test>: 552");
});

test("mail from outside never goes to other servers", () => {
  const w = world();
  const who = { via: "smtp", login: null } as const;
  expect(w.door.judgeRecipient(who, stranger, frank)).toEqual({ do: "refuse", why: "relayDenied" });
});

const heardRows: readonly (readonly [
  name: string,
  fact: OriginFact,
  sender: Address | null,
  from: string,
  want: string,
])[] = [
  ["who signed is heard from", "signed", stranger, "stranger@peer.test", "peer.test"],
  ["a report that is signed counts, too", "signed", null, "stranger@peer.test", "peer.test"],
  ["an envelope sender is a claim, and not noted", "signed", frank, "stranger@peer.test", "peer.test"],
  ["an address literal is a claim", "literal", stranger, "stranger@[192.0.2.7]", "[192.0.2.7]?"],
  ["where nobody asks for signatures all is claims", "unasked", stranger, "stranger@peer.test", "peer.test?"],
];
for (const [name, fact, sender, from, want] of heardRows) {
  test(`what waits for another server may go when it is heard from: ${name}`, async () => {
    const w = world(gateOf(fact).gate);
    expect(await send(w, { ...inbound(bob), sender }, message(from))).toEqual({ do: "accept" });
    expect(w.heard).toEqual([want]);
  });
}

test("mail to a dismissed server is accepted and goes nowhere; the others get theirs", async () => {
  const w = world();
  w.rules.dismissed.add("peer.test");
  expect(w.door.judgeRecipient({ via: "submission", login: alice }, alice, dave)).toEqual({ do: "accept" });
  expect(await send(w, submission(dave, frank), message("alice@relay.test"))).toEqual({ do: "accept" });
  expect(w.arrived.map(({ letter }) => letter.recipients)).toEqual([[frank]]);
  const alone = await send(w, submission(dave), message("alice@relay.test"));
  expect(alone).toEqual({ do: "drop", why: "silentlyDismissed" });
});

test("the author of mail from outside is asked about, not only its envelope", async () => {
  const w = world();
  w.rules.ruled.add("peer.test");
  const who = { via: "http", login: null } as const;
  expect(w.door.judgeSender(who, stranger)).toEqual({ do: "refuse", why: "peerRefused" });
  const envelope = { ...inbound(bob), sender: frank };
  expect(w.door.judgeSender(who, frank)).toEqual({ do: "accept" });
  const verdict = await send(w, envelope, message("stranger@peer.test"));
  expect(verdict).toEqual({ do: "refuse", why: "peerRefused" });
  expect(w.heard).toEqual([]);
});

const remoteRows: readonly [name: string, prepare: (w: World) => void, want: string][] = [
  ["no rule", () => undefined, "accept"],
  ["a rule against it", (w) => w.rules.ruled.add("peer.test"), "recipientRefused"],
  ["a queue without room", (w) => w.crowded.add("peer.test"), "queueFull"],
  ["federation off", (w) => (w.rules.enabled = false), "federationOff"],
];
for (const [name, prepare, want] of remoteRows) {
  test(`RCPT to another server with ${name} gets ${want}`, () => {
    const w = world();
    prepare(w);
    const verdict = w.door.judgeRecipient({ via: "submission", login: alice }, alice, dave);
    expect(verdict.do === "accept" ? "accept" : verdict.why).toBe(want as never);
  });
}

test("without a queue there is no way to other servers", async () => {
  const w = world();
  const accounts = { exists: () => true, blocked: () => false, quotaBytes: () => 0 };
  const counters = { add: () => undefined };
  const log: Log = { emit: () => undefined, counts: () => new Map() };
  const origin = gateOf("signed").gate;
  const door = new Door({ settings, store: w.store, accounts, counters, origin, log, clock: w.clock });
  const who = { via: "submission", login: alice } as const;
  expect(door.judgeRecipient(who, alice, dave)).toEqual({ do: "refuse", why: "federationOff" });
  const intake = door.open({ ...who, sender: alice, recipients: [bob, dave] });
  intake.write(fromLatin1(message("alice@relay.test")));
  expect(await intake.finish()).toEqual({ do: "refuse", why: "federationOff" });
  expect(w.store.texts(bob)).toEqual([]);
});
