/** Sessions made from a seed: valid commands in any order, one or two clients, the same account. */
import { Random } from "../fuzz/random.ts";
import type { Session } from "./play.ts";

const COMMANDS_MIN = 6;
const COMMANDS_MAX = 16;
const KEY_DEPTH_MAX = 2;

const NAMES = ["a", "a/b", "Sent", "Drafts", "with space", "x/y/z", "&AOQ-rger"];
const FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Forwarded", "$Junk", "custom"];
const PATTERNS = ["*", "%", "a*", "%/%", "INBOX", "a/%", "Sent", "x/*"];
const STATUS_ITEMS = ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "SIZE"];
const FETCH_ITEMS = [
  ..."UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE RFC822.HEADER BODY.PEEK[] BODY.PEEK[HEADER]".split(
    " ",
  ),
  ..."BODY.PEEK[TEXT] BODY.PEEK[1] BODY[1] BODY[TEXT]<0.20> BODY.PEEK[]<7.30> BODY.PEEK[1.MIME] RFC822.SIZE".split(
    " ",
  ),
  "BODY.PEEK[HEADER.FIELDS (SUBJECT DATE)]",
  "BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT RECEIVED)]",
  "BODY[HEADER.FIELDS (TO)]<0.9>",
];
const DATES = ["31-Jan-2026", "1-Feb-2026", "2-Feb-2026", "4-Feb-2026", "1-Jan-2030"];
const TEXTS = ["light", "relay.test", "bob", "needle", "nowhere", "A", '"First light"', '""'];
const ARRIVALS = ['"01-Feb-2026 10:00:00 +0000" ', '"28-Feb-2026 23:59:59 -0330" '];

/** @param first seed of the first; each session has the next one */
export function generatedSessions(count: number, first: number): Session[] {
  return Array.from({ length: count }, (_, i) => new Generator(first + i).session());
}

class Generator {
  readonly #random: Random;
  readonly #seed: number;
  readonly #lines: string[] = [];
  #twoClients = false;
  #condstore = false;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new Random(seed);
  }

  session(): Session {
    this.#twoClients = this.#below(3) === 0;
    if (this.#below(3) === 0) {
      const extension = this.#pick(["CONDSTORE", "QRESYNC"]);
      this.#condstore = true;
      this.#lines.push(`ENABLE ${extension}`);
      if (this.#twoClients && this.#below(2) === 0) this.#lines.push(`b: ENABLE ${extension}`);
    }
    if (this.#below(2) === 0) this.#lines.push("CREATE a", "CREATE Sent");
    this.#lines.push("SELECT INBOX");
    if (this.#twoClients) this.#lines.push("b: SELECT INBOX");
    if (this.#condstore) this.#lines.push("mark");
    const count = COMMANDS_MIN + this.#below(COMMANDS_MAX - COMMANDS_MIN);
    for (let i = 0; i < count; i++) this.#command();
    this.#lines.push("NOOP", "UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)", 'LIST "" *');
    const mailbox = this.#below(6) === 0 ? "empty" : "mail";
    return { name: `generated ${this.#seed}`, mailbox, lines: this.#lines };
  }

  #below(bound: number): number {
    return this.#random.below(bound);
  }

  #pick<T>(from: readonly T[]): T {
    return this.#random.pick(from);
  }

  #some<T>(from: readonly T[], max: number): T[] {
    return [...new Set(Array.from({ length: 1 + this.#below(max) }, () => this.#pick(from)))];
  }

  #command(): void {
    if (this.#twoClients && this.#below(8) === 0) {
      this.#lines.push("IDLE", `b: ${this.#onMessages()}`, `b: ${this.#append()}`, "DONE");
      return;
    }
    const who = this.#twoClients && this.#below(3) === 0 ? "b: " : "";
    const line = this.#below(3) === 0 ? this.#onMailboxes() : this.#onMessages();
    this.#lines.push(who + line);
    // What another client did is seen at a known point.
    if (who !== "") this.#lines.push("NOOP");
    else if (this.#twoClients) this.#lines.push("b: NOOP");
  }

  #onMessages(): string {
    const uid = this.#below(2) === 0 ? "UID " : "";
    const set = this.#set(uid !== "");
    switch (this.#below(10)) {
      case 0:
      case 1:
      case 2:
        return `${uid}FETCH ${set} (${this.#some(FETCH_ITEMS, 4).join(" ")})`;
      case 3:
      case 4:
        return `${uid}STORE ${set} ${this.#pick(["+", "-", ""])}FLAGS (${this.#some(FLAGS, 3).join(" ")})`;
      case 5:
        return `${uid}SEARCH ${this.#return()}${this.#keys()}`;
      case 6:
        return `${uid}COPY ${set} ${this.#mailbox()}`;
      case 7:
        return `${uid}MOVE ${set} ${this.#mailbox()}`;
      case 8:
        return this.#pick(["EXPUNGE", "UID EXPUNGE 1:4", "NOOP", "CHECK", "EXPUNGE"]);
      default:
        if (!this.#condstore) return `${uid}SEARCH ${this.#keys()}`;
        return this.#pick([
          "UID FETCH 1:* (FLAGS) (CHANGEDSINCE $mark)",
          `${uid}STORE 1:2 (UNCHANGEDSINCE $mark) +FLAGS (\\Flagged)`,
          "UID SEARCH MODSEQ $mark",
          "mark",
        ]);
    }
  }

  #onMailboxes(): string {
    const name = this.#mailbox();
    switch (this.#below(9)) {
      case 0:
        return `CREATE ${this.#quoted(this.#pick(NAMES))}`;
      case 1:
        return `LIST "" ${this.#pick(PATTERNS)}`;
      case 2:
        return `STATUS ${name} (${this.#some(STATUS_ITEMS, 4).join(" ")})`;
      case 3:
        return "SELECT INBOX";
      case 4:
        return `LIST "" ${this.#pick(PATTERNS)} RETURN (${this.#pick(["CHILDREN", "SPECIAL-USE", "STATUS (MESSAGES)"])})`;
      case 5:
        return `SUBSCRIBE ${name}`;
      case 6:
        return this.#pick([`LSUB "" ${this.#pick(PATTERNS)}`, `UNSUBSCRIBE ${name}`]);
      case 7:
        return this.#append();
      default:
        return this.#pick([`RENAME ${name} renamed`, `DELETE ${name}`, "GETQUOTAROOT INBOX"]);
    }
  }

  #append(): string {
    const flags = this.#below(2) === 0 ? `(${this.#some(FLAGS, 2).join(" ")}) ` : "";
    return `APPEND INBOX ${flags}${this.#pick(ARRIVALS)}{pgp}`;
  }

  #mailbox(): string {
    return this.#quoted(this.#pick([...NAMES.slice(0, 3), "a", "Sent"]));
  }

  #quoted(name: string): string {
    return `"${name}"`;
  }

  /** Sequence numbers that are there in most mailboxes; UIDs anywhere. */
  #set(byUid: boolean): string {
    const highest = byUid ? 14 : 5;
    const number = () => String(1 + this.#below(highest));
    return this.#pick([
      number(),
      `${number()}:${number()}`,
      `${number()},${number()}`,
      "1:*",
      "*",
      `${number()}:*`,
    ]);
  }

  #return(): string {
    if (this.#below(3) > 0) return "";
    return `RETURN (${this.#some(["MIN", "MAX", "COUNT", "ALL"], 3).join(" ")}) `;
  }

  #keys(): string {
    return Array.from({ length: 1 + this.#below(3) }, () => this.#key(0)).join(" ");
  }

  #key(depth: number): string {
    const kind = this.#below(depth < KEY_DEPTH_MAX ? 12 : 9);
    if (kind === 9) return `NOT ${this.#key(depth + 1)}`;
    if (kind === 10) return `OR ${this.#key(depth + 1)} ${this.#key(depth + 1)}`;
    if (kind === 11) return `(${this.#key(depth + 1)} ${this.#key(depth + 1)})`;
    if (kind === 8)
      return `HEADER ${this.#pick(["Message-ID", "X-None", "Chat-Version"])} ${this.#pick(TEXTS)}`;
    return this.#pick([
      this.#pick([
        "ALL",
        "SEEN",
        "UNSEEN",
        "DELETED",
        "UNDELETED",
        "FLAGGED",
        "ANSWERED",
        "DRAFT",
        "UNANSWERED",
      ]),
      `${this.#pick(["BEFORE", "ON", "SINCE", "SENTSINCE", "SENTON"])} ${this.#pick(DATES)}`,
      `${this.#pick(["FROM", "TO", "CC", "SUBJECT", "TEXT", "BODY"])} ${this.#pick(TEXTS)}`,
      `${this.#pick(["LARGER", "SMALLER"])} ${this.#pick(["0", "300", "1000", "100000"])}`,
      `UID ${this.#set(true)}`,
      this.#set(false),
      `${this.#pick(["KEYWORD", "UNKEYWORD"])} ${this.#pick(["$Forwarded", "custom"])}`,
    ]);
  }
}
