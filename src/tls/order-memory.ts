/**
 * What is remembered about authorities between starts, in `<stateDir>/certs/`: an account for each, and how the last
 * orders went. A relay that is restarted in a loop must not become a load on an authority.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { AcmeAccount } from "./acme-order.ts";
import type { CertificateFiles } from "./certificate-files.ts";
import { makeKey } from "./self-signed.ts";

const HISTORY = "orders.json";

const historySchema = z.object({
  /** Orders in a row that came to nothing; one under way counts, until it is done. */
  failures: z.number().int().nonnegative().default(0),
  /** No order by itself before. */
  notBeforeMs: z.number().default(0),
  lastSuccessMs: z.number().optional(),
  lastFailure: z.object({ atMs: z.number(), why: z.string(), message: z.string() }).optional(),
  /** Names that could not be proved and are left out until then. */
  leftOut: z.record(z.string(), z.number()).default({}),
});
export type OrderHistory = z.infer<typeof historySchema>;

const accountSchema = z.object({
  directory: z.string(),
  key: z.string(),
  url: z.string().optional(),
  email: z.string().optional(),
});

export class OrderMemory {
  readonly #files: CertificateFiles;
  #history: OrderHistory | undefined;
  /** The end of the last write: two at once would trip over each other's file. */
  #written: Promise<void> = Promise.resolve();

  constructor(files: CertificateFiles) {
    this.#files = files;
  }

  /** As on disk; a file that nobody can read any more counts as none. */
  async history(): Promise<OrderHistory> {
    this.#history ??= parsed(historySchema, await this.#files.readNote(HISTORY)) ?? historySchema.parse({});
    return this.#history;
  }

  /** In force at once, also when the disk does not take it. */
  async remember(changes: Partial<OrderHistory>): Promise<void> {
    const next = { ...(await this.history()), ...changes };
    this.#history = next;
    const writing = this.#written.then(() =>
      this.#files.writeNote(HISTORY, `${JSON.stringify(next, null, 2)}\n`),
    );
    this.#written = writing.catch(() => {});
    await writing;
  }

  /** The account at this directory; its key is on disk before anybody hears of it. */
  async account(directory: string): Promise<AcmeAccount> {
    const stored = parsed(accountSchema, await this.#files.readNote(accountFile(directory)));
    if (stored !== undefined) return { key: stored.key, url: stored.url, email: stored.email };
    const account = { key: await makeKey(), url: undefined, email: undefined };
    await this.saveAccount(directory, account);
    return account;
  }

  async saveAccount(directory: string, account: AcmeAccount): Promise<void> {
    const note = { directory, ...account };
    await this.#files.writeNote(accountFile(directory), `${JSON.stringify(note, null, 2)}\n`);
  }
}

/** One file for each directory: accounts of the test directory mean nothing elsewhere. */
function accountFile(directory: string): string {
  return `account-${createHash("sha256").update(directory).digest("hex").slice(0, 16)}.json`;
}

function parsed<T>(schema: z.ZodType<T>, text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Names that are left out now. */
export function leftOut({ leftOut: untilMs }: OrderHistory, nowMs: number): string[] {
  return Object.entries(untilMs).flatMap(([name, until]) => (until > nowMs ? [name] : []));
}
