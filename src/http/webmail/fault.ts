/** What a client of mail in the browser is told when something is not done: the same text over HTTP and WebSocket. */
import { type Refusal, refusals } from "../../core/verdict.ts";
import { OperationError, type OperationFault } from "../../operations/operation.ts";
import { StorageError } from "../../storage/store.ts";

/** Expected trouble. The message is for the client; it names nothing that the client did not. */
export class WebmailError extends Error {
  /** Of the HTTP answer. */
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** What is unknown in a request is its fault: 400, as other versions of madmail answer. */
const statusOf: Partial<Record<OperationFault, number>> = { invalid: 400, notFound: 400, conflict: 409 };

/** @returns undefined for what nobody expected: a bug */
export function expectedFault(error: unknown): WebmailError | undefined {
  if (error instanceof WebmailError) return error;
  if (error instanceof OperationError) {
    const status = statusOf[error.fault];
    return status === undefined ? undefined : new WebmailError(status, error.message);
  }
  if (error instanceof StorageError) {
    return refusalFault(error.fault === "full" ? "storageFull" : "storageFailed");
  }
  return undefined;
}

/** A refusal with SMTP's codes in its text. */
export function refusalFault(why: Refusal): WebmailError {
  const [code, enhanced, status, text] = refusals[why];
  return new WebmailError(status, `${code} ${enhanced} ${text}`);
}
