/**
 * The import itself: looks first (`surveySource`, which writes nothing), then takes (`runImport`), account by account.
 * Killed at any moment, it goes on where it was at the next run; nothing is doubled, and the source is only read.
 */
import { Database } from "bun:sqlite";
import * as fs from "node:fs";
import { join } from "node:path";
import type { Address } from "../core/address.ts";
import { isKnownHash } from "../auth/hashes.ts";
import { databaseError } from "../db/open.ts";
import { Journal } from "./journal.ts";
import { takeKeys } from "./keys.ts";
import type { LeftBehind, Source, SourceAccount } from "./source.ts";
import { takeTables, takeTokens } from "./tables.ts";
import { conflictOf, ImportTarget } from "./target.ts";

/** Where messages went that stay behind: the reasons, each with how often and a few examples. */
export interface LeftSummary {
  why: string;
  count: number;
  examples: string[];
}

export interface ImportReport {
  kind: Source["kind"];
  source: string;
  accounts: number;
  /** Of an earlier run; not in the other counts. */
  accountsBefore: number;
  mailboxes: number;
  messages: number;
  bytes: number;
  /** Of the messages, those that take no further space. Always 0 in a dry run. */
  linked: number;
  settings: number;
  registrationTokens: number;
  blocked: number;
  federationRules: number;
  dkim: boolean;
  tls: boolean;
  /** The configuration that was written, or would be. */
  config: string | undefined;
  leftBehind: LeftSummary[];
}

export interface Progress {
  accounts: number;
  accountsTotal: number;
  messages: number;
  bytes: number;
}

export type OnProgress = (progress: Progress) => void;

const EXAMPLES_MAX = 5;

/** Counts what would come, and says what would not. Writes nothing, also beside a running relay. */
export async function surveySource(
  source: Source,
  stateDir: string,
  onProgress: OnProgress = () => {},
): Promise<ImportReport> {
  const left = new LeftList(source.leftBehind);
  const report = emptyReport(source);
  const done = Journal.doneAccounts(stateDir, source.kind, source.path);
  const known = knownAccounts(join(stateDir, "madmail.db"));
  let seen = 0;
  for (const account of source.accounts) {
    onProgress({ ...counts(report), accounts: seen++, accountsTotal: source.accounts.length });
    if (done.has(account.address)) {
      report.accountsBefore++;
      continue;
    }
    const { address, row } = account;
    const why = conflictOf(stateDir, known.get(address), address, row.hash, undefined);
    if (why !== undefined) {
      left.add({ why, what: address });
      continue;
    }
    noteHash(account, left);
    for (const mailbox of await account.mailboxes((one) => left.add(one))) {
      report.mailboxes++;
      report.messages += mailbox.messages.length;
      for (const { size } of mailbox.messages) report.bytes += size;
    }
    report.accounts++;
  }
  report.config = source.config === undefined ? undefined : configPath(stateDir);
  report.leftBehind = left.summary();
  return report;
}

/**
 * @throws {DatabaseError} when the relay runs or its database is of a newer version
 * @throws {SourceError} when another import is half done
 */
export async function runImport(
  source: Source,
  stateDir: string,
  host: string,
  onProgress: OnProgress = () => {},
): Promise<ImportReport> {
  const target = new ImportTarget(stateDir, host);
  try {
    const journal = Journal.open(stateDir, source.kind, source.path);
    try {
      return await take(source, target, journal, onProgress);
    } finally {
      journal.close();
    }
  } finally {
    target.close();
  }
}

async function take(
  source: Source,
  target: ImportTarget,
  journal: Journal,
  onProgress: OnProgress,
): Promise<ImportReport> {
  const left = new LeftList(source.leftBehind);
  const report = emptyReport(source);
  // Who is locked out there must not get in here meanwhile.
  if (!journal.has("(tables)")) {
    takeTables(target.db, source.tables, (one) => left.add(one));
    journal.add("(tables)");
  }
  const keys = takeKeys(source, target.stateDir, target.owner, configPath(target.stateDir), (one) =>
    left.add(one),
  );
  Object.assign(report, keys);
  const total = source.accounts.length;
  let seen = 0;
  let progress: Progress = { accounts: 0, accountsTotal: total, messages: 0, bytes: 0 };
  for (const account of source.accounts) {
    progress = { ...progress, accounts: seen++ };
    onProgress(progress);
    if (journal.has(account.address)) {
      report.accountsBefore++;
      continue;
    }
    const why = target.conflict(account.address, account.row.hash, journal.id);
    if (why !== undefined) {
      left.add({ why, what: account.address });
      continue;
    }
    noteHash(account, left);
    const tally = await target.take(
      account,
      journal.id,
      (one) => left.add(one),
      (bytes) => {
        progress = { ...progress, messages: progress.messages + 1, bytes: progress.bytes + bytes };
        onProgress(progress);
      },
    );
    takeTokens(target.db, account);
    journal.add(account.address);
    target.settle(account.address, journal.id);
    report.accounts++;
    report.mailboxes += tally.mailboxes;
    report.messages += tally.messages;
    report.bytes += tally.bytes;
    report.linked += tally.linked;
  }
  onProgress({ ...progress, accounts: total });
  journal.finish();
  report.leftBehind = left.summary();
  return report;
}

/** The account comes all the same, so that nobody else gets its name. */
function noteHash({ address, row }: SourceAccount, left: LeftList): void {
  if (isKnownHash(row.hash)) return;
  left.add({
    why: "a password in a format that is not read here: set a new one to let its owner in",
    what: address,
  });
}

/** Hashes by address, without opening the database for writing: the relay may be running. */
function knownAccounts(path: string): ReadonlyMap<Address, string> {
  if (!fs.existsSync(path)) return new Map();
  try {
    const db = new Database(path, { readonly: true });
    try {
      const rows = db.query("SELECT username, hash FROM passwords WHERE hash <> ''").values();
      return new Map(rows.map(([user, hash]) => [String(user) as Address, String(hash)]));
    } finally {
      db.close();
    }
  } catch (error) {
    throw databaseError(error, path);
  }
}

const configPath = (stateDir: string): string => join(stateDir, "imported.toml");

function emptyReport(source: Source): ImportReport {
  const { tables } = source;
  return {
    kind: source.kind,
    source: source.path,
    accounts: 0,
    accountsBefore: 0,
    mailboxes: 0,
    messages: 0,
    bytes: 0,
    linked: 0,
    settings: tables.settings.length,
    registrationTokens: tables.tokens.length,
    blocked: tables.blocked.length,
    federationRules: tables.federationRules.length + tables.dismissed.length,
    dkim: source.dkim !== undefined,
    tls: source.tls !== undefined,
    config: undefined,
    leftBehind: [],
  };
}

function counts({ messages, bytes }: ImportReport): Pick<Progress, "messages" | "bytes"> {
  return { messages, bytes };
}

/** Reasons in the order of their first case. */
class LeftList {
  readonly #byWhy = new Map<string, LeftSummary>();

  constructor(first: readonly LeftBehind[]) {
    for (const one of first) this.add(one);
  }

  add({ why, what }: LeftBehind): void {
    const entry = this.#byWhy.get(why) ?? { why, count: 0, examples: [] };
    entry.count++;
    if (entry.examples.length < EXAMPLES_MAX) entry.examples.push(what);
    this.#byWhy.set(why, entry);
  }

  summary(): LeftSummary[] {
    return [...this.#byWhy.values()];
  }
}
