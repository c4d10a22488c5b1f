/** Every resource of the admin API, and the methods it has. One file a noun; each only renames fields for an operation. */
import type { Operations } from "../../operations/operations.ts";
import type { AdminSessions, Scope } from "./sessions.ts";
import { operationResource } from "./operation-resource.ts";
import { sessionResource } from "./session-resource.ts";

export type AdminMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** One request to a resource. */
export interface AdminCall {
  operations: Operations;
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

const fixed: Record<string, AdminResource> = {
  "/admin/session": sessionResource,
};

/** By the part before the last slash. */
const variable: Record<string, AdminResource> = {
  "/admin/operations": operationResource,
};

export function findResource(resource: string): (AdminResource & { argument: string }) | undefined {
  const path = resource.replace(/\/+$/, "");
  if (Object.hasOwn(fixed, path))
    return { ...fixed[path], methods: fixed[path]?.methods ?? {}, argument: "" };
  const slash = path.lastIndexOf("/");
  const parent = path.slice(0, slash);
  const found = Object.hasOwn(variable, parent) ? variable[parent] : undefined;
  return found === undefined ? undefined : { ...found, argument: path.slice(slash + 1) };
}
