/**
 * `MailKeeper` over Maildir.
 *
 * Invariants
 * - Files of an account are deleted either through its index, or while no index of it exists: a load that begins
 *   meanwhile waits for the piece of work under way, and the rest is done through the index.
 * - Deleting files behind no index is safe for UIDs: the durable mark is above all that were announced.
 */
import * as fs from "node:fs";
import type { Address } from "../core/address.ts";
import { listAtRest, listNames, mailboxDirectories } from "./at-rest.ts";
import { checkAtRest } from "./check.ts";
import type { MaildirContext } from "./context.ts";
import { chooseExpired, countAccount, type ExpiryRule, type MailTally } from "./expiry.ts";
import { asStorageError } from "./faults.ts";
import { isMissing } from "./files.ts";
import type { CheckResult, ExpireOptions, KeeperOptions, MailKeeper } from "./keeper.ts";
import type { MaildirAccount } from "./maildir-account.ts";
import { accountDirectoryName } from "./names.ts";

/** Unlinked between two breaths (a fraction of a millisecond). */
const UNLINKS_AT_ONCE = 8;
/** Messages deleted through an index between two breaths. */
const EXPUNGES_AT_ONCE = 32;
/** Files above are unlinked in the pool: freeing their blocks takes milliseconds. */
const UNLINK_INLINE_MAX_BYTES = 256 * 1024;

export interface KeeperParts {
  context: MaildirContext;
  root: string;
  /** The account's object if it is in memory or on its way there. */
  peek(user: Address): MaildirAccount | Promise<MaildirAccount> | undefined;
}

interface Visit {
  /** Somebody wants the account: leave it after the piece under way. */
  interrupted: boolean;
  readonly over: Promise<void>;
}

export class MaildirKeeper implements MailKeeper {
  readonly #parts: KeeperParts;
  /** Accounts whose files are being changed without an index. */
  readonly #visits = new Map<Address, Visit>();

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /** Before an index is made: what changes files without one must have ended. @returns undefined when nothing does */
  makeWay(user: Address): Promise<void> | undefined {
    const visit = this.#visits.get(user);
    if (visit === undefined) return undefined;
    visit.interrupted = true;
    return visit.over;
  }

  async users(): Promise<Address[]> {
    return await this.#work("list accounts", async () => {
      const names = await listNames(this.#parts.root);
      return names.filter((name) => !name.startsWith(".") && name.includes("@")) as Address[];
    });
  }

  async expire(user: Address, rule: ExpiryRule, options: ExpireOptions): Promise<MailTally> {
    return await this.#work("expire", async () => {
      const found = this.#parts.peek(user);
      // No turn may pass between a look that finds nothing and the visit.
      if (found !== undefined) {
        const account = await found;
        countAccount(options.census, account.datedMessages());
        return await expireIndexed(account, rule, options);
      }
      const { value: removed, interrupted } = await this.#visit(user, (visit) =>
        this.#expireAtRest(user, rule, options, visit),
      );
      if (!interrupted) return removed;
      const loading = await this.#parts.peek(user);
      const rest = loading && (await expireIndexed(loading, rule, options));
      return rest === undefined ? removed : add(removed, rest);
    });
  }

  async check(user: Address, options: KeeperOptions & { repair: boolean }): Promise<CheckResult> {
    return await this.#work("check", async () => {
      const found = this.#parts.peek(user);
      if (found !== undefined) return await (await found).check(options.repair);
      const { value } = await this.#visit(user, (visit) =>
        checkAtRest(this.#parts.context, this.#maildir(user), {
          ...options,
          isInterrupted: () => visit.interrupted || options.signal.aborted,
        }),
      );
      return value;
    });
  }

  async sweepTemp(
    user: Address,
    beforeMs: number,
    { breathe, signal, dryRun }: KeeperOptions & { dryRun: boolean },
  ): Promise<MailTally> {
    return await this.#work("sweep", async () => {
      const swept = emptyTally();
      for (const mailbox of await mailboxDirectories(this.#maildir(user))) {
        if (signal.aborted) break;
        await this.#sweepDirectory(`${mailbox}/tmp`, beforeMs, dryRun, swept);
        await breathe();
      }
      return swept;
    });
  }

  async sweepSpool(beforeMs: number, { dryRun }: { dryRun: boolean }): Promise<MailTally> {
    return await this.#work("sweep", async () => {
      const swept = emptyTally();
      await this.#sweepDirectory(this.#parts.context.spoolDir, beforeMs, dryRun, swept);
      return swept;
    });
  }

  async #expireAtRest(
    user: Address,
    rule: ExpiryRule,
    { breathe, dryRun, census, signal }: ExpireOptions,
    visit: Visit,
  ): Promise<MailTally> {
    const removed = emptyTally();
    const messages = await listAtRest(this.#maildir(user), breathe);
    countAccount(census, messages);
    const gone = chooseExpired(messages, rule);
    for (const [index, { directory, name, size }] of gone.entries()) {
      if (!dryRun) {
        if (index % UNLINKS_AT_ONCE === UNLINKS_AT_ONCE - 1) await breathe();
        if (visit.interrupted || signal.aborted) break;
        if (!(await this.#unlink(`${directory}/${name}`, size))) continue;
      }
      removed.messages++;
      removed.bytes += size;
    }
    return removed;
  }

  async #sweepDirectory(
    directory: string,
    beforeMs: number,
    dryRun: boolean,
    swept: MailTally,
  ): Promise<void> {
    for (const name of await listNames(directory)) {
      const path = `${directory}/${name}`;
      const stat = await fs.promises.stat(path).catch((error: unknown) => {
        if (isMissing(error)) return undefined;
        throw error;
      });
      if (stat === undefined || !stat.isFile() || stat.mtimeMs >= beforeMs) continue;
      if (!dryRun && !(await this.#unlink(path, stat.size))) continue;
      swept.messages++;
      swept.bytes += stat.size;
    }
  }

  /** @returns false when it was gone */
  async #unlink(path: string, size: number): Promise<boolean> {
    try {
      if (size > UNLINK_INLINE_MAX_BYTES) await fs.promises.unlink(path);
      else this.#parts.context.files.unlink(path);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** Works on an account's files while no index of it exists. Call it in the turn in which `peek` found none. */
  async #visit<T>(
    user: Address,
    work: (visit: Visit) => Promise<T>,
  ): Promise<{ value: T; interrupted: boolean }> {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const before = this.#visits.get(user);
    const visit: Visit = { interrupted: false, over };
    this.#visits.set(user, visit);
    try {
      await before?.over;
      return { value: await work(visit), interrupted: visit.interrupted };
    } finally {
      if (this.#visits.get(user) === visit) this.#visits.delete(user);
      resolve();
    }
  }

  async #work<T>(doing: string, work: () => Promise<T>): Promise<T> {
    const { running, log } = this.#parts.context;
    return await running.during(async () => {
      try {
        return await work();
      } catch (error) {
        throw asStorageError(error, doing, log);
      }
    });
  }

  #maildir(user: Address): string {
    return `${this.#parts.root}/${accountDirectoryName(user)}/Maildir`;
  }
}

/** Through the index: clients are told, counters follow. */
async function expireIndexed(
  account: MaildirAccount,
  rule: ExpiryRule,
  { breathe, dryRun, signal }: ExpireOptions,
): Promise<MailTally> {
  const gone = chooseExpired(account.datedMessages(), rule);
  const removed = emptyTally();
  for (let start = 0; start < gone.length; start += EXPUNGES_AT_ONCE) {
    if (signal.aborted) break;
    const some = gone.slice(start, start + EXPUNGES_AT_ONCE);
    const done = dryRun ? some : await account.removeDated(some);
    for (const { size } of done) {
      removed.messages++;
      removed.bytes += size;
    }
    await breathe();
  }
  return removed;
}

function emptyTally(): MailTally {
  return { messages: 0, bytes: 0 };
}

function add(a: MailTally, b: MailTally): MailTally {
  return { messages: a.messages + b.messages, bytes: a.bytes + b.bytes };
}
