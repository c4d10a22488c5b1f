/** What is told of the certificate, and what can be asked of it. */
import type { Config } from "../config/config.ts";
import type { CertificateFacts } from "./material.ts";
import { leftOut, type OrderHistory, type OrderMemory } from "./order-memory.ts";
import { renewAtMs } from "./renewal.ts";
import { directoryOf } from "./source.ts";

const HOUR_MS = 3_600_000;

export interface CertificateStatus {
  mode: Config["tls"]["mode"];
  facts: CertificateFacts;
  /** Negative when it is over. */
  hoursLeft: number;
  /** The pair serves only until the authority has given one. */
  interim: boolean;
  acme: AcmeStatus | undefined;
  /** An order is under way. */
  underWay: boolean;
  /** How far this machine's clock is ahead of the authority's, as the last answer said; undefined when unknown. */
  clockAheadMs: number | undefined;
}

interface AcmeStatus {
  directory: string;
  challenge: Config["acme"]["challenge"];
  /** When the next one is due; undefined while there is none yet. */
  renewAtMs: number | undefined;
  /** No order by itself before. */
  notBeforeMs: number;
  /** In a row. */
  failures: number;
  lastSuccessMs: number | undefined;
  lastFailure: OrderHistory["lastFailure"];
  /** Names that could not be proved and are left out for a while. */
  leftOut: string[];
}

export interface RenewOptions {
  /** Also when it is not due, and in the pause after a failure. */
  force?: boolean;
  /** With a new key; what pinned the old one must be told. */
  newKey?: boolean;
  /** Only see whether it would work, at Let's Encrypt's test directory; nothing is replaced. */
  staging?: boolean;
}

export type RenewResult =
  | { do: "renewed"; facts: CertificateFacts }
  /** The test directory gave one. */
  | { do: "rehearsed"; names: readonly string[] }
  | { do: "notDue"; renewAtMs: number }
  /** After a failure; `force` does it all the same. */
  | { do: "waiting"; untilMs: number; message: string }
  | { do: "failed"; why: string; message: string; nextTryMs: number }
  /** Certificates do not come by ACME here. */
  | { do: "notAcme" };

export interface StatusParts {
  config: Pick<Config, "tls" | "acme">;
  facts: CertificateFacts;
  memory: OrderMemory;
  nowMs: number;
}

export async function certificateStatus(parts: StatusParts): Promise<CertificateStatus> {
  const { config, facts, memory, nowMs } = parts;
  const { mode } = config.tls;
  const isAcme = mode === "acme";
  return {
    mode,
    facts,
    hoursLeft: Math.floor((facts.notAfterMs - nowMs) / HOUR_MS),
    interim: isAcme && facts.selfSigned,
    acme: isAcme ? acmeStatus(config, facts, await memory.history(), nowMs) : undefined,
    underWay: false,
    clockAheadMs: undefined,
  };
}

function acmeStatus(
  config: StatusParts["config"],
  facts: CertificateFacts,
  history: OrderHistory,
  nowMs: number,
): AcmeStatus {
  return {
    directory: directoryOf(config),
    challenge: config.acme.challenge,
    renewAtMs: facts.selfSigned ? undefined : dueAtMs(facts),
    notBeforeMs: history.notBeforeMs,
    failures: history.failures,
    lastSuccessMs: history.lastSuccessMs,
    lastFailure: history.lastFailure,
    leftOut: leftOut(history, nowMs),
  };
}

/** When to renew; spread by the certificate itself, so that a restart does not draw again. */
export function dueAtMs(facts: CertificateFacts): number {
  return renewAtMs(facts, Number.parseInt(facts.fingerprint.slice(0, 8), 16) / 2 ** 32);
}
