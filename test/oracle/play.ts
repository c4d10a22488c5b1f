/** Plays one scripted session against one server, and compares what two servers answered. */
import { ImapClient, type ImapLine } from "../support/imap-client.ts";
import type { LinkOptions } from "../support/link.ts";
import { type Answer, type Learnt, readAnswer } from "./answers.ts";

/**
 * What clients say, in order. A line begins with `b: ` for the second of two clients of the account.
 * `$uidvalidity` is that of the mailbox last opened, `$mark` the highest mod-sequence told before the line `mark`.
 * A line `IDLE` waits for the go-ahead; `DONE` gathers what came meanwhile and what a NOOP tells then.
 */
export interface Session {
  name: string;
  /** Which messages INBOX holds at first. */
  mailbox: "mail" | "empty" | "odd";
  lines: readonly string[];
}

export interface Account {
  user: string;
  password: string;
}

interface Client {
  imap: ImapClient;
  idleTag: string | undefined;
  /** The server hung up. */
  gone: boolean;
}

/** What stands where `{pgp}` does: a message that our gate lets pass. */
export type Fill = (line: string) => string;

/** @returns an answer for each line */
export async function play(
  session: Session,
  link: LinkOptions,
  account: Account,
  fill: Fill,
): Promise<Answer[]> {
  const player = new Player(link, account, fill);
  try {
    const answers: Answer[] = [];
    for (const line of session.lines) answers.push(await player.line(line));
    return answers;
  } finally {
    player.close();
  }
}

class Player {
  readonly #link: LinkOptions;
  readonly #account: Account;
  readonly #fill: Fill;
  readonly #clients = new Map<string, Client>();
  readonly #learnt: Learnt = { uidValidity: "0", modseq: 0n };
  #mark = 0n;

  constructor(link: LinkOptions, account: Account, fill: Fill) {
    this.#link = link;
    this.#account = account;
    this.#fill = fill;
  }

  close(): void {
    for (const { imap } of this.#clients.values()) imap.close();
  }

  async line(line: string): Promise<Answer> {
    const [, who = "a", what = ""] = /^(?:(b): )?(.*)$/s.exec(line) ?? [];
    if (what === "mark") {
      this.#mark = this.#learnt.modseq;
      return new Map();
    }
    const client = await this.#client(who);
    if (client.gone) return new Map([["status", "hung up before"]]);
    const text = this.#fill(what)
      .replaceAll("$uidvalidity", this.#learnt.uidValidity)
      .replaceAll("$mark", String(this.#mark));
    if (text === "IDLE") {
      client.idleTag = await client.imap.idle();
      return new Map();
    }
    if (text === "DONE") return this.#endIdle(client);
    return this.#gather(client, client.imap.send(text), []);
  }

  async #client(who: string): Promise<Client> {
    const known = this.#clients.get(who);
    if (known !== undefined) return known;
    const imap = await ImapClient.open(this.#link);
    const client: Client = { imap, idleTag: undefined, gone: false };
    this.#clients.set(who, client);
    await imap.ok(`LOGIN ${this.#account.user} ${this.#account.password}`);
    return client;
  }

  /** Whether news come in IDLE or right after it is a matter of time: both count. */
  async #endIdle(client: Client): Promise<Answer> {
    const tag = client.idleTag ?? "";
    client.idleTag = undefined;
    const { untagged } = await client.imap.done(tag);
    return this.#gather(client, client.imap.send("NOOP"), untagged);
  }

  async #gather(client: Client, tag: string, before: readonly ImapLine[]): Promise<Answer> {
    const { imap } = client;
    const lines = [...before];
    try {
      for (;;) {
        const line = await imap.next();
        if (!line.text.startsWith(`${tag} `)) {
          lines.push(line);
          continue;
        }
        const [, status = "", ...words] = line.text.split(" ");
        return readAnswer(lines, status, words.join(" "), this.#learnt);
      }
    } catch (error) {
      if (!isOver(error)) throw error;
      client.gone = true;
      return readAnswer(lines, undefined, "", this.#learnt);
    }
  }
}

/** True when a read failed because the connection ended, not because nothing came. */
function isOver(error: unknown): boolean {
  return error instanceof Error && /ended|closed/.test(error.message);
}

/** One field of one answer in which the servers differ. `undefined`: not said. */
export interface Divergence {
  session: Session;
  line: string;
  field: string;
  ours: string | undefined;
  theirs: string | undefined;
  /** All that both said to this line, for rules that must see more. */
  answers: { ours: Answer; theirs: Answer };
}

export function compare(session: Session, ours: readonly Answer[], theirs: readonly Answer[]): Divergence[] {
  const found: Divergence[] = [];
  for (const [i, line] of session.lines.entries()) {
    const answers = { ours: ours[i] ?? new Map(), theirs: theirs[i] ?? new Map() };
    for (const field of new Set([...answers.ours.keys(), ...answers.theirs.keys()])) {
      const divergence = {
        session,
        line,
        field,
        ours: answers.ours.get(field),
        theirs: answers.theirs.get(field),
        answers,
      };
      if (divergence.ours !== divergence.theirs) found.push(divergence);
    }
  }
  return found;
}
