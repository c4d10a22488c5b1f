/** What a maintenance job is, and what it reports. */
import type { Breathe } from "../storage/keeper.ts";

/** Counts of one run; with `dryRun`, of what would go. */
export interface TaskFigures {
  /** Looked at. */
  accounts: number;
  messages: number;
  bytes: number;
  /** Deleted, or put right. */
  removedAccounts: number;
  removedMessages: number;
  removedBytes: number;
  /** For the operator, one line each; names nobody. */
  findings: string[];
}

export interface JobContext {
  readonly dryRun: boolean;
  /** Instead of the age that the configuration names, ms. */
  readonly retentionMs: number | undefined;
  /** Puts right what the job finds wrong; only checks ask. */
  readonly repair: boolean;
  readonly signal: AbortSignal;
  /** To be awaited between small pieces of work: mail goes first. */
  readonly breathe: Breathe;
  readonly progress: (done: number, total: number) => void;
}

export interface Job {
  readonly name: string;
  /** Other names under which it is known. */
  readonly aliases: readonly string[];
  /** One line for the operator. */
  readonly summary: string;
  /** Time between two runs; 0 is only by hand. */
  intervalMs(): number;
  run(context: JobContext): Promise<TaskFigures>;
}

export function noFigures(): TaskFigures {
  return {
    accounts: 0,
    messages: 0,
    bytes: 0,
    removedAccounts: 0,
    removedMessages: 0,
    removedBytes: 0,
    findings: [],
  };
}
