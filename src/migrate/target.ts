/**
 * The state directory that an import fills, held by the lock that the relay itself takes.
 *
 * An account comes in this order, each step durable before the next, so that a kill leaves it absent or whole:
 * its mailboxes in `mail/.import`, its row in the database, its directory at its place, its line in the journal.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import type { Address } from "../core/address.ts";
import { AccountRows } from "../db/accounts.ts";
import { lockStateDirectory } from "../db/lock.ts";
import { closeDatabase, type Db, openDatabase } from "../db/open.ts";
import { accountDirectoryName, flagSuffix, folderDirectoryName, MessageNames } from "../storage/names.ts";
import { BodyError, type Owner, placeBody } from "./body.ts";
import { giveTo, makeOwned, syncDirectory, writeOwned } from "./disk.ts";
import { inParallel } from "./in-parallel.ts";
import type { LeftBehind, SourceAccount, SourceMailbox, SourceMessage } from "./source.ts";

const DATABASE = "madmail.db";
/** Below mail/; storage passes over names that begin with a dot. */
const STAGING = ".import";
/** Messages under way at once: most of the time is waiting for the disk. */
const MESSAGES_AT_ONCE = 8;

export interface Tally {
  mailboxes: number;
  messages: number;
  bytes: number;
  linked: number;
}

export class ImportTarget {
  readonly db: Db;
  readonly owner: Owner;
  readonly stateDir: string;
  readonly #unlock: () => void;
  readonly #names: MessageNames;
  readonly #rows: AccountRows;
  readonly #device: number;

  /** @throws {DatabaseError} when the relay runs, or the database is of a newer version */
  constructor(stateDir: string, host: string) {
    this.stateDir = stateDir;
    fs.mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    this.#unlock = lockStateDirectory(stateDir);
    try {
      this.owner = fs.statSync(stateDir);
      this.db = openDatabase(join(stateDir, DATABASE));
    } catch (error) {
      this.#unlock();
      throw error;
    }
    // What the journal says must outlast a power cut, rows included.
    this.db.$client.run("PRAGMA synchronous = FULL");
    this.#names = new MessageNames(`I${Date.now().toString(36)}`, host);
    this.#rows = new AccountRows(this.db);
    fs.rmSync(join(stateDir, "mail", STAGING), { recursive: true, force: true });
    for (const path of ["mail", `mail/${STAGING}`]) makeOwned(join(stateDir, path), this.owner);
    this.#device = fs.statSync(join(stateDir, "mail")).dev;
  }

  close(): void {
    fs.rmSync(join(this.stateDir, "mail", STAGING), { recursive: true, force: true });
    closeDatabase(this.db);
    for (const suffix of ["", "-wal", "-shm"]) {
      const path = join(this.stateDir, `${DATABASE}${suffix}`);
      if (fs.existsSync(path)) giveTo(this.owner, (uid, gid) => fs.chownSync(path, uid, gid));
    }
    const lock = join(this.stateDir, "madmail.lock");
    giveTo(this.owner, (uid, gid) => fs.chownSync(lock, uid, gid));
    this.#unlock();
  }

  /** Why an account can't come in beside what is here; undefined when it can. */
  conflict(address: Address, hash: string, id: string): string | undefined {
    return conflictOf(this.stateDir, this.#rows.get(address)?.hash, address, hash, id);
  }

  /** Brings one account in. @returns what came */
  async take(
    account: SourceAccount,
    id: string,
    leave: (left: LeftBehind) => void,
    onMessage: (bytes: number) => void,
  ): Promise<Tally> {
    const place = join(this.stateDir, "mail", accountDirectoryName(account.address));
    const tally: Tally = { mailboxes: 0, messages: 0, bytes: 0, linked: 0 };
    if (!fs.existsSync(join(place, markOf(id)))) {
      const staged = join(this.stateDir, "mail", STAGING, accountDirectoryName(account.address));
      fs.rmSync(staged, { recursive: true, force: true });
      await this.#stage(account, staged, id, tally, leave, onMessage);
      this.#rows.insert(account.address, account.row);
      // Left by an account that has a row here but never any mail.
      fs.renameSync(staged, place);
      await syncDirectory(join(this.stateDir, "mail"));
    }
    return tally;
  }

  /** The journal has the account now: the mark on its directory goes. */
  settle(address: Address, id: string): void {
    fs.rmSync(join(this.stateDir, "mail", accountDirectoryName(address), markOf(id)), { force: true });
  }

  async #stage(
    account: SourceAccount,
    staged: string,
    id: string,
    tally: Tally,
    leave: (left: LeftBehind) => void,
    onMessage: (bytes: number) => void,
  ): Promise<void> {
    const maildir = join(staged, "Maildir");
    makeOwned(staged, this.owner);
    makeOwned(maildir, this.owner);
    const mailboxes = await account.mailboxes(leave);
    const lastValidity = Math.max(0, ...mailboxes.map(({ uidValidity }) => uidValidity));
    for (const mailbox of withInbox(mailboxes, lastValidity)) {
      const directory = mailbox.name === "INBOX" ? maildir : join(maildir, folderDirectoryName(mailbox.name));
      await this.#stageMailbox(mailbox, directory, account.address, lastValidity, tally, leave, onMessage);
      tally.mailboxes++;
    }
    this.#writeSubscriptions(maildir, account.subscriptions());
    writeOwned(join(staged, markOf(id)), "", this.owner);
    for (const directory of [maildir, staged]) await syncDirectory(directory);
  }

  async #stageMailbox(
    mailbox: SourceMailbox,
    directory: string,
    address: Address,
    lastValidity: number,
    tally: Tally,
    leave: (left: LeftBehind) => void,
    onMessage: (bytes: number) => void,
  ): Promise<void> {
    const { name, uidValidity, uidNext, keywords, messages } = mailbox;
    for (const part of ["", "tmp", "new", "cur"]) makeOwned(join(directory, part), this.owner);
    if (name !== "INBOX") writeOwned(join(directory, "maildirfolder"), "", this.owner);
    await inParallel(messages, MESSAGES_AT_ONCE, async (message) => {
      try {
        const { size, linked } = await this.#placeMessage(message, directory, uidValidity);
        tally.messages++;
        tally.bytes += size;
        if (linked) tally.linked++;
        onMessage(size);
      } catch (error) {
        if (!(error instanceof BodyError)) throw error;
        leave({ why: error.message, what: `${address} ${name} UID ${message.uid}` });
      }
    });
    if (keywords.length > 0) {
      const lines = keywords.map((keyword, index) => `${index} ${keyword}\n`);
      writeOwned(join(directory, "dovecot-keywords"), lines.join(""), this.owner);
    }
    const mark = `1 V${uidValidity} N${uidNext} L${name === "INBOX" ? lastValidity : 0}\n`;
    writeOwned(join(directory, "madmail-uid"), mark, this.owner);
    for (const part of ["new", "cur", ""]) await syncDirectory(join(directory, part));
  }

  /** The size is part of the name, so the body is made under a scratch name first. */
  async #placeMessage(message: SourceMessage, directory: string, uidValidity: number) {
    const scratch = join(directory, "tmp", String(message.uid));
    const placed = await placeBody(message.path, scratch, {
      owner: this.owner,
      sameDevice: (stat) => stat.dev === this.#device,
      minSize: message.minSize,
    });
    const base = this.#names.base(uidValidity, message.internalDateMs, placed.size, message.uid);
    const name = message.inNew ? `new/${base}` : `cur/${base}${flagSuffix(message.flags)}`;
    fs.renameSync(scratch, join(directory, name));
    return placed;
  }

  #writeSubscriptions(maildir: string, names: readonly string[]): void {
    if (names.length === 0) return;
    const lines = [...names].sort().map((name) => `${name.replaceAll("/", "\t")}\n`);
    writeOwned(join(maildir, "subscriptions"), `V\t2\n\n${lines.join("")}`, this.owner);
  }
}

/** Why an account can't come in. @param known the hash that the target has under this address */
export function conflictOf(
  stateDir: string,
  known: string | undefined,
  address: Address,
  hash: string,
  id: string | undefined,
): string | undefined {
  const place = join(stateDir, "mail", accountDirectoryName(address));
  if (id !== undefined && fs.existsSync(join(place, markOf(id)))) return undefined;
  // The same hash is the same account: its row came in an earlier run, its mail did not.
  if (known !== undefined && known !== hash) return "an address that has another account here already";
  return fs.existsSync(place) ? "an address that has mail here already" : undefined;
}

const markOf = (id: string): string => `.import-${id}`;

function withInbox(mailboxes: readonly SourceMailbox[], lastValidity: number): readonly SourceMailbox[] {
  if (mailboxes.some(({ name }) => name === "INBOX")) return mailboxes;
  const uidValidity = Math.max(Math.floor(Date.now() / 1000), lastValidity + 1);
  return [{ name: "INBOX", uidValidity, uidNext: 1, keywords: [], messages: [] }, ...mailboxes];
}
