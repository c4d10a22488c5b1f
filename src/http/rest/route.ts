/** An endpoint of the REST API as a value, so that the server and the OpenAPI document can't disagree. */
import type { z } from "zod";
import type { Caller } from "../../operations/operations.ts";

export type RestMethod = "get" | "post" | "put" | "delete";

export interface RestCall<B, Q> {
  operations: Caller;
  /** Path variables, decoded. */
  params: Record<string, string>;
  query: Q;
  body: B;
}

export interface RestReply {
  status: 200 | 201 | 404;
  /** Absent: an empty answer. */
  body?: unknown;
}

export interface RestRoute<B extends z.ZodType = z.ZodType, Q extends z.ZodType = z.ZodType> {
  method: RestMethod;
  /** With `:name` for variables. */
  path: string;
  summary: string;
  /** Absent where the request has none. */
  body?: B;
  query?: Q;
  /** What comes with 200 or 201; absent: nothing. */
  response?: z.ZodType;
  /** Status of success. */
  success: 200 | 201;
  /** Statuses of refusals, beside 401 and 429. */
  refusals: readonly (400 | 404 | 409)[];
  handle(call: RestCall<z.output<B>, z.output<Q>>): Promise<RestReply>;
}

/** Declares an endpoint; only the types are at work here. */
export function route<B extends z.ZodType, Q extends z.ZodType>(declared: RestRoute<B, Q>): RestRoute {
  return declared;
}
