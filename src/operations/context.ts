/**
 * What operations work on. The books and the mail store are there on a stopped relay too; `live` is what only a running
 * one has, so that an operation says in its type what it does without it.
 */
import type { AccountOperations } from "../auth/account-operations.ts";
import type { Config } from "../config/config.ts";
import type { Address, Domain } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Db } from "../db/open.ts";
import type { Selection } from "../delivery/queue/entry-index.ts";
import type { World } from "../doctor/world.ts";
import type { EchoFacts } from "../echo/service.ts";
import type { ServerReport } from "../federation/server-test.ts";
import type { IrohStatus } from "../iroh/server.ts";
import type { Log } from "../log/events.ts";
import type { Figures } from "../metrics/figures.ts";
import type { History } from "../metrics/history.ts";
import type { PusherFacts } from "../push/pusher.ts";
import type { HotState } from "../state/hot-state.ts";
import type { Census } from "../storage/expiry.ts";
import type { MailStore } from "../storage/store.ts";
import type { CertificateStatus, RenewOptions, RenewResult } from "../tls/status.ts";
import type { Tasks } from "../tasks/scheduler.ts";
import type { TurnFacts } from "../turn/server.ts";

export interface OperationContext {
  /** The configuration in force: the file, and what settings say over it. */
  readonly config: () => Config;
  /** The configuration as the file has it. */
  readonly fileConfig: () => Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly db: Db;
  readonly state: HotState;
  readonly store: MailStore;
  readonly accounts: AccountOperations;
  /** What a phone scans to use an account. On a stopped relay with what the configuration says of ports and certificate. */
  readonly accountLink: (account: { address: Address; password: string }) => string;
  /** Maintenance; by hand on a stopped relay too. */
  readonly tasks: Pick<Tasks, "list" | "find" | "run" | "runAll">;
  /** What the last walk over all mail counted; undefined before one. */
  readonly census: () => { counted: Census; atMs: number } | undefined;
  readonly history: Pick<History, "read">;
  /** What gives an account to who has the registration token; as the site shows it. */
  readonly inviteLink: (token: string) => string;
  /** For the doctor. */
  readonly survey: Pick<World, "zone" | "takenPorts">;
  /** Undefined while the relay is stopped. */
  readonly live: LiveRelay | undefined;
}

/** What only a running relay can tell or do. */
export interface LiveRelay {
  readonly startedAtMs: number;
  readonly figures: Figures;
  /** `host:port` as bound, by service. */
  addresses(): Record<string, string[]>;
  /** Reads configuration file, settings and certificates again. @returns what could not be taken, for the operator */
  reload(): Promise<string[]>;
  /** Begins to stop and start anew, once the answer is on its way; undefined where it can't. */
  restart: (() => void) | undefined;
  /** Puts changed settings into effect, as far as they need no restart. @returns what could not be taken */
  applySettings(): Promise<string[]>;
  /** How many connections a user has with IMAP, or from pages. */
  sessionsOf(user: Address): number;
  /** There is mail from us in these mailboxes: wakes phones. */
  delivered(users: readonly Address[]): void;
  /** Opens the panel once, within a quarter of an hour; undefined while the panel is off. */
  loginLink(): string | undefined;
  readonly queue: {
    retry(selection: Selection): number;
    drop(selection: Selection): number;
    /** Every domain with mail waiting. */
    destinations(): readonly { domain: Domain; messages: number }[];
  };
  /** Connections open now, by service. */
  connections(): Record<string, ConnectionFacts>;
  readonly services: LiveServices;
  /** Asks DNS and the servers of a domain, and waits no longer than a person does. Never rejects. */
  testServer(domain: Domain, signal?: AbortSignal): Promise<ServerReport>;
  /** The exchangers are others now. */
  lookForExchangers(): void;
  /** Asks the DNS about every record that this relay wants. */
  checkDns(): Promise<DnsReport>;
  readonly certificates: {
    status(): Promise<CertificateStatus>;
    renew(options: RenewOptions): Promise<RenewResult>;
  };
}

export interface DnsReport {
  /** Nothing that is required is missing, wrong, or unknown. */
  ok: boolean;
  records: readonly {
    /** With a dot at its end. */
    name: string;
    type: string;
    /** Undefined where only the operator knows. */
    value: string | undefined;
    need: "required" | "recommended" | "optional";
    /** What goes wrong without it. */
    why: string;
    state: "ok" | "missing" | "different" | "trouble" | "unchecked";
    /** What the DNS says, where that is not what is wanted. */
    found?: readonly string[];
    /** As a line of a zone file. */
    line: string;
  }[];
}

export interface ConnectionFacts {
  connections: number;
  /** IPv4 addresses and IPv6 /64 networks. */
  addresses: number;
}

/** Figures since the start, and what is going on now. */
export interface LiveServices {
  /** Undefined while it is off; `ending` are calls that may end by themselves after it was turned off. */
  turn(): { facts: TurnFacts | undefined; ending: number; advertised: boolean };
  iroh(): IrohStatus & { url: string | undefined };
  shadowsocks(): ConnectionFacts & { link: string | undefined };
  push(): PusherFacts;
  echo(): EchoFacts;
}
