/**
 * Load for the crash tests: senders that write down what was answered 250, and watchers that write down what
 * they saw. `audit` compares both with what stands in the mailboxes after the relay came back.
 */
import { ImapClient } from "../support/imap-client.ts";
import { joinMail, pgpBody } from "../support/pgp-mail.ts";
import type { Relay } from "../support/relay.ts";
import { SmtpClient } from "../support/smtp-client.ts";

const SIZES_BYTES = [2_000, 10_000, 100_000] as const;
const PASSWORD = "a-long-random-password-1";

export interface Sent {
  messageId: string;
  to: string[];
  bytes: number;
}

/** How a sender's connection ended. */
export type SenderEnd = "closed" | "told421" | "stopped";

export interface Sender {
  end: Promise<SenderEnd>;
  stop(): void;
}

/** What is known across all rounds. */
export class Ledger {
  /** Answered 250. */
  readonly accepted: Sent[] = [];
  /** Sent, answer lost: there at most once. */
  readonly unanswered: Sent[] = [];
  /** Called after each acceptance. */
  onAccepted: () => void = () => {};
  #count = 0;

  nextId(): string {
    this.#count++;
    return `crash-${this.#count}@localhost`;
  }
}

/** Sends one message after the other on one connection until stopped or cut off. */
export async function startSender(
  relay: Relay,
  user: string,
  people: readonly string[],
  ledger: Ledger,
): Promise<Sender> {
  const bodies = await Promise.all(SIZES_BYTES.map((bytes) => pgpBody(bytes)));
  const smtp = await SmtpClient.open({ port: relay.ports.submissions, tls: true });
  const login = await smtp.auth(user, PASSWORD);
  if (login.code !== 235) throw new Error(`login answered ${login.code} ${login.lines.join(" ")}`);
  const control = { stopped: false };
  const run = async (): Promise<SenderEnd> => {
    for (let turn = 0; !control.stopped; turn++) {
      const size = turn % 7 === 6 ? 2 : turn % 2;
      const to = people.filter((_, i) => i === turn % people.length || (turn % 5 === 4 && i % 2 === 0));
      const messageId = ledger.nextId();
      const body = bodies[size] ?? Buffer.alloc(0);
      const sent: Sent = { messageId, to, bytes: body.length };
      const outcome = await attempt(smtp, { from: user, to }, joinMail({ from: user, messageId }, body));
      if (outcome === 250) {
        ledger.accepted.push(sent);
        ledger.onAccepted();
      } else if (outcome === 421) return "told421";
      else if (outcome === "lost") {
        ledger.unanswered.push(sent);
        return "closed";
      } else throw new Error(`a message under load was answered ${outcome}`);
    }
    await smtp.quit().catch(() => {});
    return "stopped";
  };
  return { end: run(), stop: () => void (control.stopped = true) };
}

async function attempt(
  smtp: SmtpClient,
  envelope: { from: string; to: string[] },
  data: Buffer,
): Promise<number | "lost"> {
  try {
    return (await smtp.send(envelope, data)).code;
  } catch {
    return "lost";
  }
}

export interface WatchOptions {
  /** Deletes what it fetched, as Delta Chat does. */
  eats: boolean;
}

/** One person's client over all rounds: fetches what is new, waits in IDLE. */
export class Watcher {
  readonly user: string;
  readonly eats: boolean;
  /** `validity:uid` → Message-ID, everything ever seen. */
  readonly seen = new Map<string, string>();
  /** Broken promises, in words. */
  readonly faults: string[] = [];
  /** Connections that the relay ended with BYE. */
  byes = 0;
  #next = 1;
  #validity = 0;

  constructor(user: string, { eats }: WatchOptions) {
    this.user = user;
    this.eats = eats;
  }

  async connect(relay: Relay): Promise<ImapClient> {
    const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    const login = await imap.login(this.user, PASSWORD);
    if (login.status !== "OK") throw new Error(`login answered ${login.status} ${login.text}`);
    return imap;
  }

  /** Watches until the connection ends. Resolves then; faults are noted. */
  async watch(imap: ImapClient): Promise<void> {
    try {
      for (;;) {
        const { uidNext } = await this.#look(imap);
        if (uidNext > this.#next) continue;
        const tag = await imap.idle();
        await imap.next();
        await imap.done(tag);
      }
    } catch (error) {
      // The connection ended, which is what the tests are about; silence is not.
      if (error instanceof Error && error.message.includes(" ms without ")) this.faults.push(error.message);
    } finally {
      if (imap.saidBye) this.byes++;
    }
  }

  /** Fetches what is new, and all of it again when `all`: what is visible must be whole. */
  async #look(imap: ImapClient): Promise<{ uidNext: number }> {
    const { uidValidity, uidNext } = await imap.select();
    this.#checkMarks(uidValidity, uidNext);
    if (uidNext <= this.#next) return { uidNext };
    const fetched = (await imap.fetch(`${this.#next}:${uidNext - 1}`)).filter((m) => m.uid >= this.#next);
    for (const message of fetched) this.#note(message.uid, message.body);
    // Everything below was visible when UIDNEXT was read: what turns up there later came too late.
    this.#next = uidNext;
    if (this.eats && fetched.length > 0) {
      await imap.ok(`UID STORE ${fetched.map((m) => m.uid).join(",")} +FLAGS (\\Deleted)`);
      await imap.ok("CLOSE");
    }
    return { uidNext: this.#next };
  }

  /** After a restart: reads everything there is. @returns Message-IDs in the mailbox */
  async audit(relay: Relay): Promise<string[]> {
    const imap = await this.connect(relay);
    const { uidValidity, uidNext, exists } = await imap.select();
    this.#checkMarks(uidValidity, uidNext);
    const fetched = exists === 0 ? [] : await imap.fetch("1:*");
    if (fetched.length !== exists) this.faults.push(`${exists} EXISTS but ${fetched.length} fetched`);
    const ids: string[] = [];
    for (const { uid, body } of fetched) {
      const key = `${uidValidity}:${uid}`;
      if (uid < this.#next && !this.seen.has(key))
        this.faults.push(`UID ${uid} turned up behind ${this.#next}`);
      if (uid >= uidNext) this.faults.push(`UID ${uid} is not below UIDNEXT ${uidNext}`);
      this.#note(uid, body);
      ids.push(this.seen.get(key) ?? "");
    }
    const visible = new Set(fetched.map((m) => m.uid));
    if (!this.eats) {
      for (const key of this.seen.keys()) {
        if (!visible.has(Number(key.split(":")[1])))
          this.faults.push(`UID ${key} was seen before and is gone`);
      }
    }
    this.#next = uidNext;
    imap.close();
    return ids;
  }

  #checkMarks(uidValidity: number, uidNext: number): void {
    if (this.#validity !== 0 && uidValidity !== this.#validity) this.faults.push("UIDVALIDITY changed");
    if (uidNext < this.#next) this.faults.push(`UIDNEXT went back from ${this.#next} to ${uidNext}`);
    this.#validity = uidValidity;
  }

  #note(uid: number, body: Buffer | undefined): void {
    const text = body?.toString("latin1") ?? "";
    const messageId = /^message-id: *<([^>]+)>/im.exec(text)?.[1] ?? "";
    if (messageId === "" || !text.endsWith("--\r\n")) {
      this.faults.push(`UID ${uid} is not whole: ${text.length} bytes`);
    }
    const key = `${this.#validity}:${uid}`;
    const before = this.seen.get(key);
    if (before !== undefined && before !== messageId) {
      this.faults.push(`UID ${uid} was ${before} and is ${messageId} now`);
    }
    this.seen.set(key, messageId);
  }
}

/** Compares the ledger with the mailboxes. @returns broken promises, in words */
export async function audit(relay: Relay, ledger: Ledger, watchers: readonly Watcher[]): Promise<string[]> {
  const faults: string[] = [];
  for (const watcher of watchers) {
    const standing = await watcher.audit(relay);
    const all = watcher.eats ? [...watcher.seen.values()] : standing;
    const counts = new Map<string, number>();
    for (const id of all) counts.set(id, (counts.get(id) ?? 0) + 1);
    const wanted = new Set(
      ledger.accepted.filter((s) => s.to.includes(watcher.user)).map((s) => s.messageId),
    );
    const possible = new Set([
      ...wanted,
      ...ledger.unanswered.filter((s) => s.to.includes(watcher.user)).map((s) => s.messageId),
    ]);
    for (const id of wanted) if (!counts.has(id)) faults.push(`${id} was accepted and is missing`);
    for (const [id, count] of counts) {
      if (count > 1) faults.push(`${id} is there ${count} times`);
      if (!possible.has(id)) faults.push(`${id} was not sent to this mailbox`);
    }
    faults.push(...watcher.faults);
  }
  return faults;
}
