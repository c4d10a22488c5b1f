/**
 * Whether a message fits search keys. What the index knows is decided first; the header is read only if a key needs
 * it, the body last. Texts are decoded (RFC 2047, RFC 2045) and compared without case.
 */
import { decodeEncodedWords } from "../../../mime/encoded-words.ts";
import { fieldText, findField, parseFields } from "../../../mime/header.ts";
import type { Mailbox, MessageInfo } from "../../../storage/store.ts";
import { keywordBits, type Selected } from "../selected.ts";
import { inRanges, resolveSet } from "../sequence-set.ts";
import { parseDate } from "../text.ts";
import { BodyText } from "./body-text.ts";
import type { SearchKey } from "./keys.ts";

type Ranges = { from: number; to: number }[];
/** undefined: the index alone can't tell. */
type Known = boolean | undefined;

/** One search over one mailbox. */
export class Matcher {
  readonly #selected: Selected;
  readonly #mailbox: Mailbox;
  readonly #ranges = new Map<SearchKey, Ranges>();
  #saved: ReadonlySet<number> | undefined;

  constructor(selected: Selected) {
    this.#selected = selected;
    this.#mailbox = selected.mailbox;
  }

  /** At once where the index can tell. */
  matches(key: SearchKey, info: MessageInfo): boolean | Promise<boolean> {
    const known = this.#byIndex(key, info);
    return known ?? this.#byReading(key, info);
  }

  #byIndex(key: SearchKey, info: MessageInfo): Known {
    switch (key.key) {
      case "all":
        return true;
      case "none":
        return false;
      case "and":
        return allOf(key.keys.map((inner) => this.#byIndex(inner, info)));
      case "or": {
        const sides = [key.left, key.right].map((inner) => negate(this.#byIndex(inner, info)));
        return negate(allOf(sides));
      }
      case "not":
        return negate(this.#byIndex(key.inner, info));
      case "flags":
        return ((info.flags & key.bits) !== 0) === key.set;
      case "keyword":
        return ((info.flags & keywordBits(this.#mailbox, [key.name], false)) !== 0) === key.set;
      case "saved":
        return this.#savedUids().has(info.uid);
      case "sequence":
        return inRanges(this.#resolved(key, this.#selected.count), this.#selected.sequenceOf(info.uid));
      case "uid":
        return inRanges(this.#resolved(key, this.#selected.highestUid), info.uid);
      case "larger":
        return info.size > key.bytes;
      case "smaller":
        return info.size < key.bytes;
      case "arrived":
        return info.internalDateMs >= key.fromMs && info.internalDateMs < key.toMs;
      case "modseq":
        return info.modseq >= key.least;
      default:
        return undefined;
    }
  }

  async #byReading(key: SearchKey, info: MessageInfo): Promise<boolean> {
    const known = this.#byIndex(key, info);
    if (known !== undefined) return known;
    switch (key.key) {
      case "and":
        for (const inner of key.keys) if (!(await this.matches(inner, info))) return false;
        return true;
      case "or":
        return (await this.matches(key.left, info)) || (await this.matches(key.right, info));
      case "not":
        return !(await this.matches(key.inner, info));
      case "sent":
        return this.#sentBetween(info.uid, key.fromMs, key.toMs);
      case "header":
        return this.#headerHolds(info.uid, key.field, key.text);
      case "body":
        return this.#messageHolds(info.uid, key.text, false);
      case "text":
        return this.#messageHolds(info.uid, key.text, true);
      default:
        return false;
    }
  }

  #resolved(key: SearchKey & { key: "sequence" | "uid" }, highest: number): Ranges {
    const ranges = this.#ranges.get(key) ?? resolveSet(key.set, highest);
    this.#ranges.set(key, ranges);
    return ranges;
  }

  #savedUids(): ReadonlySet<number> {
    this.#saved ??= new Set(this.#selected.saved);
    return this.#saved;
  }

  async #headerHolds(uid: number, name: string, text: string): Promise<boolean> {
    const header = await this.#mailbox.header(uid);
    if (header === undefined) return false;
    const fields = parseFields(header).filter((field) => field.name === name);
    return fields.some((field) => decodeEncodedWords(fieldText(header, field)).toLowerCase().includes(text));
  }

  /** RFC 9051 §6.4.4 SENT…: the date as written, without its time and zone. */
  async #sentBetween(uid: number, fromMs: number, toMs: number): Promise<boolean> {
    const header = await this.#mailbox.header(uid);
    const field = header && findField(parseFields(header), "date");
    if (header === undefined || field === undefined) return false;
    const match = /(\d{1,2})\s+([A-Za-z]{3})\s+(\d{4})/.exec(fieldText(header, field));
    const dayMs = match === null ? undefined : parseDate(`${match[1]}-${match[2]}-${match[3]}`);
    return dayMs !== undefined && dayMs >= fromMs && dayMs < toMs;
  }

  async #messageHolds(uid: number, text: string, withHeader: boolean): Promise<boolean> {
    // RFC 9051 §6.4.4: the empty string is in every message.
    if (text === "") return true;
    const body = await this.#mailbox.body(uid);
    if (body === undefined) return false;
    try {
      return await new BodyText(body, text).holds(withHeader);
    } finally {
      await body.close();
    }
  }
}

/** False if one is, true if all are, else open. */
function allOf(parts: readonly Known[]): Known {
  if (parts.includes(false)) return false;
  return parts.includes(undefined) ? undefined : true;
}

function negate(known: Known): Known {
  return known === undefined ? undefined : !known;
}
