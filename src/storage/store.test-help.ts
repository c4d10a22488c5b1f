/** What tests of the storage seam share: a store with its data, messages, shortcuts. Nothing about files. */
import type { Address } from "../core/address.ts";
import type { LocalChangeHub } from "../core/changes.ts";
import type { ManualClock } from "../core/clock.ts";
import {
  type DeliveryTarget,
  type Mailbox,
  type MailStore,
  type OutboxEntry,
  type SealedMessage,
  StorageError,
} from "./store.ts";

export interface StoreUnderTest {
  store: MailStore;
  /** Stops the store cleanly and opens another over the same data. */
  reopen(): Promise<MailStore>;
  dispose(): Promise<void>;
}
export type StoreFactory = (parts: { hub: LocalChangeHub; clock: ManualClock }) => Promise<StoreUnderTest>;

export const alice = "alice@relay.test" as Address;
export const bob = "bob@relay.test" as Address;

/** A small message; `n` makes it tell itself from others. */
export function messageText(n: number, bodyBytes = 20): string {
  const head = `Message-ID: <${n}@relay.test>\r\nSubject: no ${n}\r\nChat-Version: 1.0\r\nFrom: <a@relay.test>\r\n\r\n`;
  return `${head}${"x".repeat(bodyBytes)}\r\n`;
}

export function seal(store: MailStore, text: string): SealedMessage {
  const spool = store.spool({ maxBytes: 100_000_000 });
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 50_000) spool.write(bytes.subarray(at, at + 50_000));
  return spool.seal(bytes.subarray(0, text.indexOf("\r\n\r\n") + 4));
}

export async function deliverTo(store: MailStore, text: string, ...targets: DeliveryTarget[]): Promise<void> {
  const message = seal(store, text);
  try {
    await store.deliver(message, targets);
  } finally {
    message.discard();
  }
}

export async function inboxOf(store: MailStore, user: Address): Promise<Mailbox> {
  return await (await store.account(user)).open("INBOX");
}

export async function textOf(mailbox: Mailbox, uid: number): Promise<string | undefined> {
  const body = await mailbox.body(uid);
  if (body === undefined) return undefined;
  let text = "";
  for (let at = 0; at < body.size; at += 100_000)
    text += Buffer.from(await body.read(at, 100_000)).toString();
  await body.close();
  return text;
}

export const uidsOf = (mailbox: Mailbox): number[] => mailbox.messages.map((message) => message.uid);

export async function faultOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return error instanceof StorageError ? error.fault : String(error);
  }
  return "none";
}

/** All entries of the outbox, swept. */
export async function queuedIn(store: MailStore): Promise<OutboxEntry[]> {
  const found: OutboxEntry[] = [];
  await store.outbox.load((entry) => found.push(entry), { sweep: true });
  return found;
}

export async function outboxText(store: MailStore, id: string): Promise<string | undefined> {
  const body = await store.outbox.body(id);
  if (body === undefined) return undefined;
  const text = Buffer.from(await body.read(0, body.size)).toString();
  await body.close();
  return text;
}
