/** The door over real files: what reaches mailboxes, what is left of a message that does not. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Address, parseAddress, parseDomain } from "../core/address.ts";
import { fromLatin1, toLatin1 } from "../core/bytes.ts";
import { LocalChangeHub } from "../core/changes.ts";
import { ManualClock } from "../core/clock.ts";
import type { Log } from "../log/events.ts";
import { fakeEncryptedMessage } from "../pgp/fixtures.test-help.ts";
import { MaildirStore } from "../storage/maildir.ts";
import { inboxOf, textOf } from "../storage/store.test-help.ts";
import { unasked } from "../policy/origin.ts";
import { Door } from "./door.ts";
import type { Intake } from "./intake.ts";

const [alice, bob] = ["alice@relay.test", "bob@relay.test"].flatMap((text) => parseAddress(text) ?? []);
const domains = ["relay.test"].flatMap((text) => parseDomain(text) ?? []);
if (alice === undefined || bob === undefined) throw new Error("fixture");
const sender: Address = alice;
const receiver: Address = bob;

interface World {
  door: Door;
  store: MaildirStore;
  spooled: () => string[];
  notices: Address[];
}

async function withWorld(quotaBytes: number, work: (world: World) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "madmail-door-"));
  const clock = new ManualClock();
  const hub = new LocalChangeHub();
  const log: Log = { emit: () => undefined, counts: () => new Map() };
  const spoolDir = join(directory, "spool");
  const store = new MaildirStore({
    root: join(directory, "mail"),
    spoolDir,
    fsync: "never",
    hub,
    clock,
    log,
  });
  await store.start();
  const notices: Address[] = [];
  for (const user of [sender, receiver]) hub.subscribe(user, () => notices.push(user));
  const door = new Door({
    settings: {
      domains,
      limits: { message_size: 4_000_000, recipients: 100, send_per_minute: 0, send_burst: 1 },
    },
    store,
    accounts: {
      exists: (address) => address === sender || address === receiver,
      blocked: () => false,
      quotaBytes: () => quotaBytes,
    },
    counters: { add: () => undefined },
    origin: { open: () => unasked },
    log,
    clock,
  });
  try {
    await work({ door, store, spooled: () => readdirSync(spoolDir), notices });
  } finally {
    await store.close();
    await rm(directory, { recursive: true });
  }
}

function open(door: Door, ...recipients: Address[]): Intake {
  return door.open({ via: "submission", login: sender, sender, recipients });
}

/** Writes in pieces, each in a buffer that is used again at once, as sockets do. */
function pour(intake: Intake, bytes: Uint8Array, pieceBytes: number): void {
  const piece = new Uint8Array(pieceBytes);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const slice = bytes.subarray(at, at + pieceBytes);
    piece.set(slice);
    intake.write(piece.subarray(0, slice.length));
    piece.fill(0);
  }
}

for (const [bytes, pieceBytes] of [
  [10_000, 16_384],
  [10_000, 100],
  [1_500_000, 16_384],
] as const) {
  test(`a message of ${bytes} bytes in pieces of ${pieceBytes} lies whole in both mailboxes`, async () => {
    await withWorld(0, async ({ door, store, spooled, notices }) => {
      const message = fakeEncryptedMessage(bytes);
      const intake = open(door, receiver, sender);
      pour(intake, message, pieceBytes);
      expect(await intake.finish()).toEqual({ do: "accept" });
      for (const user of [sender, receiver]) {
        const inbox = await inboxOf(store, user);
        const [info] = inbox.messages;
        expect(info?.size).toBe(message.length);
        expect((await textOf(inbox, info?.uid ?? 0)) === toLatin1(message)).toBe(true);
      }
      expect(spooled()).toEqual([]);
      expect(new Set(notices)).toEqual(new Set([sender, receiver]));
    });
  });
}

test("of a large message refused, given up or too big nothing is left", async () => {
  await withWorld(0, async ({ door, store, spooled }) => {
    const header = "From: <alice@relay.test>\r\nContent-Type: text/plain\r\n\r\n";
    const plain = fromLatin1(header + "plain text\r\n".repeat(50_000));
    const refused = open(door, receiver);
    pour(refused, plain, 16_384);
    expect(spooled()).toHaveLength(1);
    expect(await refused.finish()).toEqual({ do: "refuse", why: "encryptionNeeded" });
    expect(spooled()).toEqual([]);

    const left = open(door, receiver);
    pour(left, plain, 16_384);
    left.abort();
    expect(spooled()).toEqual([]);

    const tooBig = open(door, receiver);
    pour(tooBig, fakeEncryptedMessage(5_000_000), 16_384);
    expect(spooled()).toEqual([]);
    expect(await tooBig.finish()).toEqual({ do: "refuse", why: "messageTooBig" });

    expect((await inboxOf(store, receiver)).messages).toEqual([]);
  });
});

test("quota counts what lies in the mailbox, and a full one leaves nothing behind", async () => {
  await withWorld(25_000, async ({ door, store, spooled }) => {
    const verdicts: string[] = [];
    for (let i = 0; i < 3; i++) {
      const intake = open(door, receiver);
      pour(intake, fakeEncryptedMessage(10_000), 16_384);
      verdicts.push((await intake.finish()).do);
    }
    expect(verdicts).toEqual(["accept", "accept", "refuse"]);
    expect((await store.account(receiver)).messageCount).toBe(2);
    expect(spooled()).toEqual([]);
  });
});

test("a member who left comes back as a report in the sender's mailbox", async () => {
  await withWorld(0, async ({ door, store }) => {
    const gone = parseAddress("gone@relay.test");
    const intake = open(door, receiver, ...(gone === undefined ? [] : [gone]));
    pour(intake, fakeEncryptedMessage(10_000), 16_384);
    expect(await intake.finish()).toEqual({ do: "accept" });
    expect((await store.account(receiver)).messageCount).toBe(1);
    const inbox = await inboxOf(store, sender);
    const report = await textOf(inbox, inbox.messages[0]?.uid ?? 0);
    expect(report).toContain("Final-Recipient: rfc822; gone@relay.test\r\n");
  });
});
