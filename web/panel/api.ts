/** The admin API as the panel calls it: operations by name, typed by their declarations. Nothing else is ever asked. */
import type { InputOf, OutputOf } from "../../src/operations/operations.ts";
import type { OperationName } from "../../src/operations/table.ts";
import { facts } from "./facts.ts";
import { endSession, hasEnded, session } from "./session.ts";

/** Why a call brought nothing. `status` is the API's, 0 where the relay did not answer at all. */
export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Envelope {
  status: number;
  body?: unknown;
  error: string | null;
}

/** @throws {ApiError} with a message to show (as a rejection) */
export async function call<N extends OperationName>(name: N, input: InputOf<N>): Promise<OutputOf<N>> {
  const body = await ask(`/admin/operations/${name}`, "POST", input, session.value?.token);
  // The relay has checked its result against the declaration that the types are made from.
  return body as OutputOf<N>;
}

/** @throws {ApiError} (as a rejection) */
export async function ask(resource: string, method: string, body: unknown, token?: string): Promise<unknown> {
  const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  let response: Response;
  try {
    response = await fetch(facts.api, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ method, resource, headers, body }),
    });
  } catch {
    throw new ApiError(0, "the relay does not answer");
  }
  if (!response.ok) throw new ApiError(0, `the relay answers HTTP ${response.status}`);
  const envelope = (await response.json()) as Envelope;
  if (envelope.status === 401 && session.value !== undefined) {
    hasEnded.value = true;
    endSession();
  }
  if (envelope.status >= 400)
    throw new ApiError(envelope.status, envelope.error ?? `status ${envelope.status}`);
  return envelope.body;
}
