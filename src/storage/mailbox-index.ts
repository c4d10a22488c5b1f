/**
 * The index of one mailbox in RAM: which messages there are, what changed when, and in which order news shows.
 * Pure: knows nothing about files beyond the names it keeps.
 *
 * Invariants
 * - `messages` is in UID order; a message enters only when every lower UID has entered or was given up.
 * - Mod-sequences of entries and departures only grow.
 * - `changesSince` never misses a departure: before the log's floor it names every absent UID (RFC 7162 §3.2.6
 *   allows UIDs that the client never knew). That list holds one number per UID the mailbox ever gave out.
 */
import { type Changes, Flag, type MessageInfo } from "./store.ts";

/** Departures remembered one by one; beyond, the older half is forgotten and the floor rises. */
const GONE_MAX = 512;

/** Up to so many departures are cut out one by one. */
const SPLICES_MAX = 4;

export interface IndexedMessage extends MessageInfo {
  /** File name without `:2,<flags>`. */
  readonly base: string;
  /** In new/ rather than cur/: no flag was ever set. */
  readonly inNew: boolean;
}

/** A message as its file is linked, before it may be seen. */
export type Arrival = Omit<IndexedMessage, "modseq">;

interface Pending {
  readonly uid: number;
  state: "waiting" | "arrived" | "givenUp";
  arrival: Arrival | undefined;
  resolve: ((message: IndexedMessage) => void) | undefined;
}

export class MailboxIndex {
  readonly messages: IndexedMessage[] = [];
  highestModseq: number;
  unseenCount = 0;
  deletedCount = 0;
  totalBytes = 0;
  /** Highest mod-sequence given to a message that was visible already: above it only the tail is new. */
  #flagModseq: number;
  #goneUids: number[] = [];
  #goneModseqs: number[] = [];
  #goneFloor: number;
  readonly #pending: Pending[] = [];
  readonly #nextModseq: () => number;

  constructor(nextModseq: () => number) {
    this.#nextModseq = nextModseq;
    this.highestModseq = nextModseq();
    this.#flagModseq = this.highestModseq;
    this.#goneFloor = this.highestModseq;
  }

  /** Fills the index; `loaded` in UID order. */
  load(loaded: Iterable<Arrival>): void {
    for (const arrival of loaded) this.#enter(arrival, this.highestModseq);
  }

  /** Lowest UID that is drawn and neither visible nor given up. */
  get lowestPending(): number | undefined {
    return this.#pending[0]?.uid;
  }

  /** A UID was drawn, in growing order: nothing above shows before `arrive` or `giveUp` of it. */
  expect(uid: number): void {
    this.#pending.push({ uid, state: "waiting", arrival: undefined, resolve: undefined });
  }

  /** The message is durable. @returns the entry, or a promise of it while lower UIDs hold it back */
  arrive(arrival: Arrival): IndexedMessage | Promise<IndexedMessage> {
    const pending = this.#pendingOf(arrival.uid);
    pending.state = "arrived";
    pending.arrival = arrival;
    if (this.#pending[0] !== pending) {
      return new Promise((resolve) => {
        pending.resolve = resolve;
      });
    }
    this.#pending.shift();
    const message = this.#enter(arrival, this.#nextModseq());
    this.#release();
    return message;
  }

  giveUp(uid: number): void {
    this.#pendingOf(uid).state = "givenUp";
    this.#release();
  }

  /** Place of the first message with this UID or a higher one. */
  lowerBound(uid: number): number {
    let low = 0;
    let high = this.messages.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.messages[middle]?.uid ?? 0) < uid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  find(uid: number): IndexedMessage | undefined {
    const message = this.messages[this.lowerBound(uid)];
    return message?.uid === uid ? message : undefined;
  }

  /** UIDs that carry \\Deleted, ascending. Ends early: clients delete what came first. */
  deletedUids(): number[] {
    const uids: number[] = [];
    for (const { uid, flags } of this.messages) {
      if (uids.length === this.deletedCount) break;
      if ((flags & Flag.deleted) !== 0) uids.push(uid);
    }
    return uids;
  }

  /** Gives a visible message new flags (and the file name that goes with them). */
  replace(uid: number, flags: number, modseq: number, base: string): IndexedMessage | undefined {
    const place = this.lowerBound(uid);
    const old = this.messages[place];
    if (old?.uid !== uid) return undefined;
    this.#count(old, -1);
    const { size, internalDateMs } = old;
    const message = { uid, size, internalDateMs, flags, modseq, base, inNew: false };
    this.messages[place] = message;
    this.#count(message, 1);
    this.highestModseq = modseq;
    this.#flagModseq = modseq;
    return message;
  }

  /** Takes out those of `uids` (ascending) that are there. */
  remove(uids: readonly number[]): void {
    const gone = uids.filter((uid) => this.find(uid) !== undefined);
    const [first] = gone;
    if (first === undefined) return;
    const modseq = this.#nextModseq();
    this.highestModseq = modseq;
    for (const uid of gone) {
      const message = this.find(uid);
      if (message !== undefined) this.#count(message, -1);
      this.#goneUids.push(uid);
      this.#goneModseqs.push(modseq);
    }
    // A splice is one memmove; many of them would move a large mailbox again and again.
    if (gone.length <= SPLICES_MAX) {
      for (const uid of gone) this.messages.splice(this.lowerBound(uid), 1);
    } else this.#compact(first, new Set(gone));
    this.#trimGone();
  }

  /** @param uidNext every UID ever given out is below */
  changesSince(modseq: number, uidNext: number): Changes {
    if (modseq >= this.highestModseq) return { changed: [], vanished: [] };
    return { changed: this.#changedSince(modseq), vanished: this.#vanishedSince(modseq, uidNext) };
  }

  #changedSince(modseq: number): MessageInfo[] {
    if (modseq < this.#flagModseq) return this.messages.filter((message) => message.modseq > modseq);
    // Nothing that was visible then has changed flags since: what is new stands at the end.
    let start = this.messages.length;
    while (start > 0 && (this.messages[start - 1]?.modseq ?? 0) > modseq) start--;
    return this.messages.slice(start);
  }

  #vanishedSince(modseq: number, uidNext: number): number[] {
    if (modseq < this.#goneFloor) return this.#absent(uidNext);
    let start = this.#goneModseqs.length;
    while (start > 0 && (this.#goneModseqs[start - 1] ?? 0) > modseq) start--;
    return this.#goneUids.slice(start).sort((a, b) => a - b);
  }

  #absent(uidNext: number): number[] {
    const absent: number[] = [];
    let uid = 1;
    for (const message of this.messages) {
      while (uid < message.uid) absent.push(uid++);
      uid = message.uid + 1;
    }
    while (uid < uidNext) absent.push(uid++);
    return absent;
  }

  #compact(first: number, gone: ReadonlySet<number>): void {
    let to = this.lowerBound(first);
    for (let from = to; from < this.messages.length; from++) {
      const message = this.messages[from];
      if (message !== undefined && !gone.has(message.uid)) this.messages[to++] = message;
    }
    this.messages.length = to;
  }

  #pendingOf(uid: number): Pending {
    const pending = this.#pending.find((entry) => entry.uid === uid);
    if (pending === undefined) throw new Error("a UID that is not pending was settled");
    return pending;
  }

  /** Lets through whatever no lower UID holds back any more. */
  #release(): void {
    for (
      let head = this.#pending[0];
      head !== undefined && head.state !== "waiting";
      head = this.#pending[0]
    ) {
      this.#pending.shift();
      if (head.arrival === undefined) continue;
      const message = this.#enter(head.arrival, this.#nextModseq());
      head.resolve?.(message);
    }
  }

  #enter(arrival: Arrival, modseq: number): IndexedMessage {
    const { uid, size, internalDateMs, flags, base, inNew } = arrival;
    const message = { uid, size, internalDateMs, flags, modseq, base, inNew };
    this.messages.push(message);
    this.#count(message, 1);
    this.highestModseq = modseq;
    return message;
  }

  #count(message: MessageInfo, by: 1 | -1): void {
    this.totalBytes += by * message.size;
    if ((message.flags & Flag.seen) === 0) this.unseenCount += by;
    if ((message.flags & Flag.deleted) !== 0) this.deletedCount += by;
  }

  #trimGone(): void {
    if (this.#goneUids.length <= GONE_MAX) return;
    const cut = this.#goneUids.length - GONE_MAX / 2;
    this.#goneFloor = this.#goneModseqs[cut - 1] ?? this.#goneFloor;
    this.#goneUids = this.#goneUids.slice(cut);
    this.#goneModseqs = this.#goneModseqs.slice(cut);
  }
}
