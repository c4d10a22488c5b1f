/** Mailboxes in the index of maddy and madmail 1: go-imap-sql's tables, bodies as files in a message store. */
import * as fs from "node:fs";
import { join } from "node:path";
import { Flag, KEYWORD_SHIFT, KEYWORDS_MAX } from "../storage/store.ts";
import { type ForeignDb, type ForeignRow, numberOf, secondsOf, textOf } from "./foreign-db.ts";
import type { LeftBehind, SourceMailbox, SourceMessage } from "./source.ts";

/** Keys are made of these; anything else could lead out of the store. */
const BODY_KEY = /^[\w-][\w.-]*$/;
const UID_MAX = 0xffff_ffff;
const systemFlags: Readonly<Record<string, number>> = {
  "\\seen": Flag.seen,
  "\\answered": Flag.answered,
  "\\flagged": Flag.flagged,
  "\\deleted": Flag.deleted,
  "\\draft": Flag.draft,
  // Of a session, not of a message.
  "\\recent": 0,
};

/** Users of the index by name. */
export function imapsqlUsers(db: ForeignDb): Map<string, number> {
  return new Map(db.rows("users").map((row) => [textOf(row["username"]), numberOf(row["id"])]));
}

export function imapsqlMailboxes(
  db: ForeignDb,
  userId: number,
  store: string,
  leave: (left: LeftBehind) => void,
): SourceMailbox[] {
  return db.query("SELECT * FROM mboxes WHERE uid = ?1 ORDER BY id", userId).map((row) => {
    const name = nameOf(row);
    const messages = db.query("SELECT * FROM msgs WHERE mboxId = ?1 ORDER BY msgId", numberOf(row["id"]));
    const flags = new Keywords(
      db.query("SELECT msgId, flag FROM flags WHERE mboxId = ?1", numberOf(row["id"])),
    );
    const found = messages.flatMap((message) => toMessage(message, flags, store, leave) ?? []);
    if (flags.dropped > 0) {
      leave({
        why: `more than ${KEYWORDS_MAX} keywords in a mailbox`,
        what: `${name}: ${flags.dropped} keywords`,
      });
    }
    return {
      name,
      uidValidity: clampUid(row["uidvalidity"]),
      uidNext: Math.max(numberOf(row["uidnext"]), (found.at(-1)?.uid ?? 0) + 1),
      keywords: flags.names,
      messages: found,
    };
  });
}

/** Names of mailboxes that their user has subscribed to. */
export function imapsqlSubscriptions(db: ForeignDb, userId: number): string[] {
  return db.query("SELECT name FROM mboxes WHERE uid = ?1 AND sub = 1", userId).map(nameOf);
}

/** Its separator is the dot. */
function nameOf(row: ForeignRow): string {
  const name = textOf(row["name"]);
  return name.toUpperCase() === "INBOX" ? "INBOX" : name.replaceAll(".", "/");
}

function toMessage(
  row: ForeignRow,
  keywords: Keywords,
  store: string,
  leave: (left: LeftBehind) => void,
): SourceMessage | undefined {
  const uid = numberOf(row["msgid"]);
  const key = textOf(row["extbodykey"]);
  if (uid < 1 || uid > UID_MAX || !BODY_KEY.test(key)) {
    leave({ why: "a message without a body in the message store", what: `message ${uid} of ${store}` });
    return undefined;
  }
  const seen = numberOf(row["seen"]) === 0 ? 0 : Flag.seen;
  const flags = keywords.of(uid) | seen;
  const path = join(store, key);
  const size = numberOf(row["bodylen"]);
  return {
    uid,
    internalDateMs: secondsOf(row["date"]) * 1000,
    flags,
    inNew: flags === 0,
    path,
    size: size || (fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0),
    minSize: size,
  };
}

/** Flags of one mailbox, its keywords numbered in the order of their first message. */
class Keywords {
  readonly names: string[] = [];
  readonly #byUid = new Map<number, number>();
  readonly #dropped = new Set<string>();

  constructor(rows: readonly ForeignRow[]) {
    for (const row of rows) {
      const uid = numberOf(row["msgid"]);
      this.#byUid.set(uid, (this.#byUid.get(uid) ?? 0) | this.#bit(textOf(row["flag"])));
    }
  }

  get dropped(): number {
    return this.#dropped.size;
  }

  of(uid: number): number {
    return this.#byUid.get(uid) ?? 0;
  }

  #bit(flag: string): number {
    const system = systemFlags[flag.toLowerCase()];
    if (system !== undefined) return system;
    const known = this.names.findIndex((name) => name.toLowerCase() === flag.toLowerCase());
    if (known >= 0) return 1 << (KEYWORD_SHIFT + known);
    if (this.names.length >= KEYWORDS_MAX || !/^[^\s(){%*"\\\]]+$/.test(flag)) {
      this.#dropped.add(flag);
      return 0;
    }
    this.names.push(flag);
    return 1 << (KEYWORD_SHIFT + this.names.length - 1);
  }
}

const clampUid = (value: unknown): number => Math.min(Math.max(numberOf(value), 1), UID_MAX);
