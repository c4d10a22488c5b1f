/** What all parts of one Maildir store share. */
import type { ChangeHub } from "../core/changes.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../log/events.ts";
import type { Files } from "./files.ts";
import type { HeaderCache } from "./header-cache.ts";
import type { MessageNames } from "./names.ts";
import type { QuickReads } from "./quick-reads.ts";
import type { Running, Slots } from "./slots.ts";
import type { DirectorySyncs, FsyncMode } from "./syncs.ts";

export interface MaildirContext {
  readonly spoolDir: string;
  readonly fsync: FsyncMode;
  readonly files: Files;
  readonly directories: DirectorySyncs;
  readonly names: MessageNames;
  readonly headers: HeaderCache;
  readonly quickReads: QuickReads;
  readonly hub: Pick<ChangeHub, "publish">;
  readonly clock: Clock;
  readonly log: Log;
  /** Work that `close` waits for. */
  readonly running: Running;
  /** Deliveries between creating their file and its sync: each holds a descriptor. */
  readonly deliverySlots: Slots;
  /** Large bodies held open by readers. */
  readonly bodySlots: Slots;
  /** A mod-sequence above every earlier one of this store. */
  readonly nextModseq: () => number;
  /** Seconds since 1970, but above every UIDVALIDITY of accounts that were removed. */
  uidValidityFloor(): number;
  /** An account with this UIDVALIDITY went away: a new one must not use it again. */
  raiseUidValidityFloor(used: number): void;
  /** True after an unclean stop: files in new/ are compared with their `S=` when a mailbox loads. */
  verifyNew(): boolean;
}
