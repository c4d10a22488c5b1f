/** What a resource of the admin API is. */
import { OperationError, type Scope } from "../../operations/operation.ts";
import type { Caller, Operations } from "../../operations/operations.ts";
import type { AdminSessions } from "./sessions.ts";

export type AdminMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** One request to a resource. */
export interface AdminCall {
  operations: Caller;
  /** For calls by a name off the wire. */
  callUnknown: (name: string, input: unknown) => ReturnType<Operations["callUnknown"]>;
  sessions: AdminSessions;
  /** Undefined only for resources that are open. */
  scope: Scope | undefined;
  bearer: string;
  resource: string;
  /** The last part of the resource, where that is a variable. */
  argument: string;
  body: unknown;
}

export interface AdminResult {
  status: number;
  body?: unknown;
}

export type AdminHandler = (call: AdminCall) => Promise<AdminResult> | AdminResult;

export interface AdminResource {
  /** True where the request brings another proof than a token. */
  open?: true;
  methods: Partial<Record<AdminMethod, AdminHandler>>;
}

export function ok(body: unknown): AdminResult {
  return { status: 200, body };
}

/** A handler that changes something: not for sessions that may only look. */
export function change(handler: AdminHandler): AdminHandler {
  return (call) => {
    if (call.scope !== "full") {
      throw new OperationError("refused", "this session may look, and change nothing");
    }
    return handler(call);
  };
}
