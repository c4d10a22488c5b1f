/**
 * What an operator can do, as values: each action has one name, one typed input, one typed result, and is done here only.
 * Command line, admin API and REST API are faces: they parse, call by name, and render.
 */
import type { z } from "zod";
import type { OperationContext } from "./context.ts";

/** What a caller must be allowed to: look, change what can be changed back, take away for good. */
export type Permission = "read" | "change" | "destroy";

/** Why an operation was not done. Nothing is half done then. */
export type OperationFault =
  /** The input makes no sense: malformed address, negative quota. */
  | "invalid"
  /** What it is about does not exist. */
  | "notFound"
  /** It exists already, or somebody else changed it meanwhile. */
  | "conflict"
  /** A rule forbids it. */
  | "refused"
  /** Only a running relay can do this. */
  | "notRunning"
  /** Only a stopped relay can have this done to it. */
  | "running"
  /** Busy, full or out of order; trying again later may help. */
  | "unavailable"
  /** A fault of this program. */
  | "failed";

/** What a caller may do: everything, or look at what is no secret. */
export type Scope = "full" | "read";

/** An operation that was not done; the message is for the operator. */
export class OperationError extends Error {
  readonly fault: OperationFault;
  constructor(fault: OperationFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

/** How far long work has come. `total` is absent while nobody knows. */
export interface Progress {
  done: number;
  total?: number;
  what: string;
}

/** How one call is made. */
export interface CallOptions {
  /** Hears of progress, not more often than a person can read. */
  onProgress?: (progress: Progress) => void;
  /** Ends long work at the next safe point. */
  signal?: AbortSignal;
}

/** What the work under way has of its call. */
export interface RunningCall {
  onProgress(progress: Progress): void;
  signal: AbortSignal | undefined;
}

export interface Operation<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  /** One line for help texts and the reference. */
  readonly summary: string;
  readonly permission: Permission;
  /** Whether an answer to this input holds secrets, which who may only look must not see. */
  reveals?(input: z.output<I>): boolean;
  /** Long work that other changes need not wait for. */
  readonly sideBySide?: true;
  readonly input: I;
  readonly output: O;
  run(context: OperationContext, input: z.output<I>, call: RunningCall): z.output<O> | Promise<z.output<O>>;
}

/** Declares an operation; only the types are at work here. */
export function operation<I extends z.ZodType, O extends z.ZodType>(
  declared: Operation<I, O>,
): Operation<I, O> {
  return declared;
}
