/**
 * What an import reads, whatever program wrote it: accounts with their mailboxes, tables, keys, a configuration.
 * Sources are only read. Mailboxes are listed one account at a time, so that memory stays bounded.
 */
import type { Address, Domain } from "../core/address.ts";
import type { AccountRow } from "../db/accounts.ts";

export const sourceKinds = ["chatmail", "madmail2", "madmail1", "maddy"] as const;
export type SourceKind = (typeof sourceKinds)[number];

/** A source that can't be read at all; the message is for the operator. */
export class SourceError extends Error {}

/** Something that stays behind. `why` is one of few texts, so that equal ones can be counted together. */
export interface LeftBehind {
  why: string;
  /** What it concerns: an address, a file, a directive with its line. */
  what: string;
}

export interface SourceMessage {
  uid: number;
  internalDateMs: number;
  /** Bits as in storage/store.ts; keyword bits go by the mailbox's `keywords`. */
  flags: number;
  /** Nobody has looked at it yet (Maildir's new/). */
  inNew: boolean;
  /** The file with the message, as it lies there: perhaps compressed, perhaps with bare line feeds. */
  path: string;
  /** Bytes as far as known without opening it. */
  size: number;
  /** The uncompressed file has at least so many bytes, or it is damaged; undefined where the source does not say. */
  minSize?: number | undefined;
}

export interface SourceMailbox {
  /** As clients name it: `INBOX`, `DeltaChat`, `A/B`. */
  name: string;
  uidValidity: number;
  uidNext: number;
  keywords: readonly string[];
  /** In UID order, each UID once. */
  messages: readonly SourceMessage[];
}

export interface DeviceToken {
  token: string;
  /** Day of its last use. */
  updatedAtSec: number;
}

export interface SourceAccount {
  address: Address;
  row: AccountRow;
  tokens: readonly DeviceToken[];
  /** @throws {Error} when a directory or table can't be read */
  mailboxes(leave: (left: LeftBehind) => void): Promise<SourceMailbox[]>;
  subscriptions: () => readonly string[];
}

export interface TokenFacts {
  token: string;
  maxUses: number;
  usedCount: number;
  comment: string;
  expiresAtSec: number | undefined;
  createdAtSec: number;
}

/** What is kept about the server as a whole. Times in seconds since 1970. */
export interface SourceTables {
  settings: readonly (readonly [key: string, value: string])[];
  defaultQuotaBytes: number;
  tokens: readonly TokenFacts[];
  blocked: readonly { user: Address; reason: string; blockedAtSec: number }[];
  federationRules: readonly { domain: string; createdAtSec: number }[];
  dismissed: readonly { domain: string; createdAtSec: number }[];
  overrides: readonly { lookupKey: string; target: string; comment: string; atSec: number }[];
  exchangers: readonly {
    name: string;
    url: string;
    enabled: boolean;
    pollIntervalSec: number;
    atSec: number;
  }[];
  counters: readonly (readonly [name: string, count: number])[];
}

export const noTables: SourceTables = {
  settings: [],
  defaultQuotaBytes: 0,
  tokens: [],
  blocked: [],
  federationRules: [],
  dismissed: [],
  overrides: [],
  exchangers: [],
  counters: [],
};

/** Where the import put what a configuration names. */
export interface ConfigPlace {
  stateDir: string | undefined;
  tls: { cert: string; key: string } | undefined;
}

export interface Source {
  readonly kind: SourceKind;
  /** The directory that identifies it, absolute. */
  readonly path: string;
  /** Most used first. */
  readonly domains: readonly Domain[];
  readonly accounts: readonly SourceAccount[];
  readonly tables: SourceTables;
  /** The signing key, to stay under the selector that the DNS shows. */
  readonly dkim: { selector: string; path: string } | undefined;
  readonly tls: { cert: string; key: string } | undefined;
  /** `madmail.toml` for a relay that goes on as this one, from what the source's configuration says. */
  readonly config: ((place: ConfigPlace) => string) | undefined;
  readonly leftBehind: readonly LeftBehind[];
  /** Lets go of databases. */
  close(): void;
}
