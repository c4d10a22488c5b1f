/**
 * What the doctor looks at, as values and questions, so that each check is tried on bad worlds in a test.
 * Parts that need an open state directory or a running relay are undefined without one.
 */
import type { Config } from "../config/config.ts";
import type { Address, Domain } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { CertificateStatus } from "../tls/status.ts";

export interface World {
  readonly config: Config;
  readonly clock: Clock;
  /** Whether other machines may be asked. */
  readonly mayAsk: boolean;
  /** Whose server to try to reach. */
  readonly peer: Domain | undefined;
  readonly machine: Machine;
  /** Why there are no books: the state directory can't be opened. */
  readonly closed: string | undefined;
  readonly books: Books | undefined;
  readonly running: Running | undefined;
  /** Ports of the configuration that something listens on, one line each. */
  readonly takenPorts: () => readonly string[];
  /** Every record that the relay wants, and what the DNS says of it. */
  readonly zone: () => Promise<readonly ZoneRow[]>;
  /** Asks for a page. @returns status and the server's time @throws {Error} when nobody answers (as a rejection) */
  readonly ask: (url: string, stop: AbortSignal) => Promise<{ status: number; dateMs: number | undefined }>;
}

/** This machine and this process. */
export interface Machine {
  readonly userId: number;
  /** @throws {Error} of the system */
  directory(): { ownerId: number; mode: number };
  /** Names of files with secrets in the state directory that others may read. @throws {Error} */
  readableSecrets(): readonly string[];
  /** @throws {Error} */
  disk(): { freeBytes: number; totalBytes: number; freeNodes: number; totalNodes: number };
  /** Writes a file in the state directory through to the disk. @returns how long it took @throws {Error} (as a rejection) */
  syncMs(): Promise<number>;
  /** When something was last written in the state directory. */
  lastWrittenMs(): number | undefined;
  /** Undefined where the system does not tell. */
  memory(): { availableBytes: number; totalBytes: number } | undefined;
  readonly residentBytes: number;
  openFiles(): { open: number; max: number } | undefined;
  /** UV_THREADPOOL_SIZE; undefined while it is not set. */
  readonly poolThreads: number | undefined;
  readonly cpus: number;
}

/** What the open state directory holds. */
export interface Books {
  /** `PRAGMA quick_check`: one line for each fault. @throws {Error} */
  databaseFaults(): readonly string[];
  queue(): Promise<QueueState>;
  /** @throws {Error} with a message for the operator (as a rejection) */
  certificate(): Promise<CertificateStatus>;
  /** Settings that were changed and wait for a reload or a start. */
  pendingSettings(): readonly string[];
}

export interface QueueState {
  messages: number;
  oldestQueuedAtMs: number | null;
  destinations: readonly { domain: string; messages: number }[];
}

/** What only a running relay has. */
export interface Running {
  readonly startedAtMs: number;
  /** `host:port` as bound, by service. */
  addresses(): Record<string, readonly string[]>;
  turnAdvertised(): boolean;
  irohUrl(): string | undefined;
  pushResting(): boolean;
  /** How far the clock is ahead of the certificate authority's; undefined when unknown. */
  clockAheadMs(): Promise<number | undefined>;
  /** @throws {Error} with a message for the operator (as a rejection) */
  makeAccount(): Promise<{ address: Address; password: string }>;
  removeAccount(address: Address): void;
  testServer(domain: Domain, stop: AbortSignal): Promise<PeerState>;
}

export interface PeerState {
  allowed: boolean;
  works: boolean;
  mx: { hosts: readonly string[]; why: string };
  hosts: readonly {
    host: string;
    why: string;
    ways: readonly { route: string; port: number; works: boolean; said: string; tls: string }[];
  }[];
}

export interface ZoneRow {
  /** As a zone file has it. */
  line: string;
  name: string;
  type: string;
  need: "required" | "recommended" | "optional";
  why: string;
  state: "ok" | "missing" | "different" | "trouble" | "unchecked";
  found: readonly string[];
}
