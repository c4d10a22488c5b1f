/** A directory with a Maildir store over it, for tests that look at the files too. */
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Address } from "../core/address.ts";
import { LocalChangeHub } from "../core/changes.ts";
import { ManualClock } from "../core/clock.ts";
import type { Event, Log } from "../log/events.ts";
import { type MaildirOptions, MaildirStore } from "./maildir.ts";

export class MaildirFixture {
  readonly directory: string;
  readonly hub = new LocalChangeHub();
  readonly clock = new ManualClock();
  readonly events: Event[] = [];
  readonly #copies: string[] = [];
  readonly #stores: MaildirStore[] = [];

  static async make(): Promise<MaildirFixture> {
    return new MaildirFixture(await mkdtemp(join(tmpdir(), "madmail-store-")));
  }

  constructor(directory: string) {
    this.directory = directory;
  }

  async open(options: Partial<MaildirOptions> = {}): Promise<MaildirStore> {
    const store = this.unstarted(options);
    await store.start();
    return store;
  }

  unstarted(options: Partial<MaildirOptions> = {}): MaildirStore {
    const log: Log = { emit: (event) => void this.events.push(event), counts: () => new Map() };
    const { hub, clock, directory } = this;
    const store = new MaildirStore({
      root: `${directory}/mail`,
      spoolDir: `${directory}/spool`,
      fsync: "always",
      hub,
      clock,
      log,
      ...options,
    });
    this.#stores.push(store);
    return store;
  }

  /** A store over a copy of the files as they are now: what a crash at this moment leaves. */
  async crashed(options: Partial<MaildirOptions> = {}): Promise<MaildirStore> {
    const copy = await mkdtemp(join(tmpdir(), "madmail-crash-"));
    this.#copies.push(copy);
    await cp(this.directory, copy, { recursive: true });
    return await this.open({ root: `${copy}/mail`, spoolDir: `${copy}/spool`, ...options });
  }

  /** A fixture over a copy of the files: for crash after crash. */
  async copy(): Promise<MaildirFixture> {
    const next = await MaildirFixture.make();
    await cp(this.directory, next.directory, { recursive: true });
    return next;
  }

  maildir(user: Address): string {
    return `${this.directory}/mail/${user}/Maildir`;
  }

  /** `new/…` and `cur/…` of the inbox, sorted. */
  async messageFiles(user: Address): Promise<string[]> {
    const parts = await Promise.all(
      ["cur", "new"].map(async (part) =>
        (await readdir(`${this.maildir(user)}/${part}`)).map((name) => `${part}/${name}`),
      ),
    );
    return parts.flat().sort();
  }

  async spoolFiles(): Promise<string[]> {
    return await readdir(`${this.directory}/spool`);
  }

  async dispose(): Promise<void> {
    for (const store of this.#stores) await store.close().catch(() => undefined);
    for (const directory of [this.directory, ...this.#copies])
      await rm(directory, { recursive: true, force: true });
  }
}
