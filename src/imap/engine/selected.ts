/**
 * The selected mailbox as this client knows it: the UIDs it was told of, in order, so that message sequence numbers
 * mean what the client thinks they mean (RFC 9051 §2.3.1.2) whatever other sessions do meanwhile.
 * Compact: four bytes a message; everything else is read from the shared index.
 */
import { KEYWORD_SHIFT, type Mailbox, type MessageInfo } from "../../storage/store.ts";
import { formatFlags, SYSTEM_FLAGS } from "./flags.ts";
import { formatSet, resolveSet, SAVED, type SequenceSet } from "./sequence-set.ts";

const NONE = new Uint32Array(0);

export interface NewsOptions {
  /** RFC 9051 §7.5.1: no EXPUNGE while sequence numbers are in flight. */
  expunges: boolean;
  /** RFC 7162 §3.2.10: VANISHED takes EXPUNGE's place. */
  qresync: boolean;
  /** FETCH carries MODSEQ. */
  condstore: boolean;
}

export class Selected {
  readonly mailbox: Mailbox;
  readonly readOnly: boolean;
  #uids: Uint32Array = NONE;
  /** All announced UIDs are below, none that will come is. Not UIDNEXT, which may run ahead of what is visible. */
  #above = 0;
  /** Flag changes up to here are announced. */
  #modseq = 0;
  #keywordCount = 0;
  /** UIDs that the last SEARCH with SAVE found, ascending; some may be gone. */
  saved: readonly number[] = [];
  /** Changes that the client made itself and knows: UID to mod-sequence. Until the next news. */
  #own: Map<number, number> | undefined;

  constructor(mailbox: Mailbox, readOnly: boolean) {
    this.mailbox = mailbox;
    this.readOnly = readOnly;
    this.#copyUids();
    this.#modseq = mailbox.highestModseq;
    this.#keywordCount = mailbox.keywords.length;
  }

  /** How many messages the client knows of. */
  get count(): number {
    return this.#uids.length;
  }

  /** The highest UID that the client knows of; 0 without any. */
  get highestUid(): number {
    return this.#uids[this.#uids.length - 1] ?? 0;
  }

  uidAt(sequence: number): number {
    return this.#uids[sequence - 1] ?? 0;
  }

  /** The message sequence number of a UID; 0 when the client was not told of it. */
  sequenceOf(uid: number): number {
    const at = lowerBound(this.#uids, uid);
    return this.#uids[at] === uid ? at + 1 : 0;
  }

  /** The UIDs that a set names, ascending; gone messages included. @returns undefined if a sequence number is too high */
  resolve(set: SequenceSet, byUid: boolean): number[] | undefined {
    if (set === SAVED) return this.saved.filter((uid) => this.sequenceOf(uid) > 0);
    const found: number[] = [];
    if (byUid) {
      for (const { from, to } of resolveSet(set, this.highestUid)) {
        for (let at = lowerBound(this.#uids, from); at < this.#uids.length; at++) {
          const uid = this.#uids[at] ?? 0;
          if (uid > to) break;
          found.push(uid);
        }
      }
      return found;
    }
    const beyond = set.some(
      ({ from, to }) => (from === Infinity ? 0 : from) > this.count || (to !== Infinity && to > this.count),
    );
    if (beyond || (this.count === 0 && set.length > 0)) return undefined;
    for (const { from, to } of resolveSet(set, this.count)) {
      for (let sequence = from; sequence <= to; sequence++) found.push(this.uidAt(sequence));
    }
    return found;
  }

  /** The client learns of these changes in its own way: news will not repeat them. */
  noteOwn(changed: readonly MessageInfo[]): void {
    if (changed.length === 0) return;
    this.#own ??= new Map();
    for (const { uid, modseq } of changed) this.#own.set(uid, modseq);
  }

  /** Untagged responses about all that changed since the last call; cheap when nothing did. */
  news(options: NewsOptions): string {
    const { mailbox } = this;
    const { messages } = mailbox;
    const sameUids = messages.length === this.#uids.length && (messages.at(-1)?.uid ?? 0) < this.#above;
    if (sameUids && mailbox.highestModseq === this.#modseq) {
      this.#own = undefined;
      return "";
    }
    const knownAbove = this.#above;
    let text = sameUids ? "" : this.#expungeNews(options) + this.#existsNews();
    if (mailbox.keywords.length !== this.#keywordCount) text += this.flagsLine();
    if (mailbox.highestModseq !== this.#modseq) text += this.#flagNews(knownAbove, options.condstore);
    this.#own = undefined;
    return text;
  }

  /** `* FLAGS (…)`: all flags in use here. */
  flagsLine(): string {
    this.#keywordCount = this.mailbox.keywords.length;
    return `* FLAGS (${[SYSTEM_FLAGS, ...this.mailbox.keywords].join(" ")})\r\n`;
  }

  /** One `* n FETCH (UID … FLAGS …)`, "" when the client does not know the message. */
  flagsFetch(info: MessageInfo, condstore: boolean): string {
    const sequence = this.sequenceOf(info.uid);
    if (sequence === 0) return "";
    const modseq = condstore ? ` MODSEQ (${info.modseq})` : "";
    return `* ${sequence} FETCH (UID ${info.uid} FLAGS (${formatFlags(info.flags, this.mailbox.keywords)})${modseq})\r\n`;
  }

  #expungeNews({ expunges, qresync }: NewsOptions): string {
    if (!expunges || this.#firstNew() === this.#uids.length) return "";
    const { messages } = this.mailbox;
    const gone: number[] = [];
    let text = "";
    let kept = 0;
    for (let at = 0, now = 0; at < this.#uids.length; at++) {
      const uid = this.#uids[at] ?? 0;
      while ((messages[now]?.uid ?? Infinity) < uid) now++;
      if (messages[now]?.uid === uid) {
        this.#uids[kept++] = uid;
        continue;
      }
      gone.push(uid);
      // Each EXPUNGE moves the numbers behind it (RFC 9051 §7.5.1).
      if (!qresync) text += `* ${kept + 1} EXPUNGE\r\n`;
    }
    if (gone.length > 0) this.#uids = kept === 0 ? NONE : this.#uids.slice(0, kept);
    return qresync && gone.length > 0 ? `* VANISHED ${formatSet(gone)}\r\n` : text;
  }

  #existsNews(): string {
    const { messages } = this.mailbox;
    let first = this.#firstNew();
    if (first === messages.length) return "";
    this.#above = (messages.at(-1)?.uid ?? 0) + 1;
    const uids = new Uint32Array(this.#uids.length + messages.length - first);
    uids.set(this.#uids);
    for (let at = this.#uids.length; first < messages.length; first++) uids[at++] = messages[first]?.uid ?? 0;
    this.#uids = uids;
    return `* ${uids.length} EXISTS\r\n`;
  }

  /** Index of the first message that was not announced; by the tail, which is short. */
  #firstNew(): number {
    const { messages } = this.mailbox;
    let first = messages.length;
    while (first > 0 && (messages[first - 1]?.uid ?? 0) >= this.#above) first--;
    return first;
  }

  #flagNews(knownAbove: number, condstore: boolean): string {
    let text = "";
    for (const info of this.mailbox.changesSince(this.#modseq).changed) {
      if (info.uid >= knownAbove || this.#own?.get(info.uid) === info.modseq) continue;
      text += this.flagsFetch(info, condstore);
    }
    this.#modseq = this.mailbox.highestModseq;
    return text;
  }

  #copyUids(): void {
    const { messages } = this.mailbox;
    const uids = messages.length === 0 ? NONE : new Uint32Array(messages.length);
    for (let i = 0; i < uids.length; i++) uids[i] = messages[i]?.uid ?? 0;
    this.#uids = uids;
    this.#above = (messages.at(-1)?.uid ?? 0) + 1;
  }
}

/** The keyword bits that exist in the mailbox for these names, made when absent and possible. */
export function keywordBits(mailbox: Mailbox, names: readonly string[], make: boolean): number {
  let bits = 0;
  for (const name of names) {
    const index = mailbox.keywords.findIndex((known) => known.toLowerCase() === name.toLowerCase());
    if (index >= 0) bits |= 1 << (KEYWORD_SHIFT + index);
    else if (make) bits |= mailbox.keyword(name) ?? 0;
  }
  return bits;
}

/** Index of the first element not below `value`. */
function lowerBound(sorted: Uint32Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
