/**
 * The admin API: `POST` of `{"method","resource","headers","body"}`, answered by `{"status","resource","body","error",
 * "version"}`. The outer HTTP status is 200 whenever the request reached the API at all, as panels of madmail expect.
 * Who fails too often is locked out by socket address; what a right token gets then looks like a wrong one.
 */
import { z } from "zod";
import { LoginThrottle } from "../../auth/login-throttle.ts";
import type { Clock } from "../../core/clock.ts";
import { parseJson } from "../../core/json.ts";
import { version } from "../../core/version.ts";
import type { Log } from "../../log/events.ts";
import { OperationError, type OperationFault, type Scope } from "../../operations/operation.ts";
import type { Operations } from "../../operations/operations.ts";
import { readBody } from "../body.ts";
import { corsHeaders, crossOrigin, preflight } from "../cors.ts";
import type { AdminCall, AdminMethod, AdminResult } from "./resource.ts";
import { type FoundResource, findResource } from "./resources.ts";
import type { AdminSessions } from "./sessions.ts";

const REQUEST_MAX_BYTES = 1024 * 1024;
const FAILURES_PER_MINUTE = 10;
const CORS = { methods: "POST, OPTIONS", headers: "Authorization, Content-Type" };

export interface AdminApiParts {
  operations: Operations;
  sessions: AdminSessions;
  /** Socket address of the peer, or the one that a trusted proxy names. */
  peerAddress(request: Request): string;
  /** Where panels may run besides this relay; `*` is anywhere. */
  origins(): readonly string[];
  clock: Clock;
  log: Log;
}

const requestBody = z.object({
  method: z.string().default("GET"),
  resource: z.string(),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.unknown().optional(),
});

const statusOf: Record<OperationFault, number> = {
  invalid: 400,
  notFound: 404,
  conflict: 409,
  refused: 403,
  notRunning: 503,
  running: 409,
  unavailable: 503,
  failed: 500,
};

interface Envelope extends AdminResult {
  resource?: string;
  error?: string;
}

export class AdminApi {
  readonly #parts: AdminApiParts;
  readonly #throttle: LoginThrottle;

  constructor(parts: AdminApiParts) {
    this.#parts = parts;
    this.#throttle = new LoginThrottle(parts.clock, () => FAILURES_PER_MINUTE);
  }

  /** Answers what came to the API's path. Never rejects. */
  async answer(request: Request): Promise<Response> {
    const cross = crossOrigin(request, this.#parts.origins());
    const headers = corsHeaders(cross, CORS);
    if (request.method === "OPTIONS") return preflight(cross, headers);
    const envelope = await this.#envelope(request);
    const { status, body, error, resource } = envelope;
    const answer = { status, resource, body, error: error ?? null, version };
    return Response.json(answer, { headers: { ...headers, "Cache-Control": "no-store" } });
  }

  async #envelope(request: Request): Promise<Envelope> {
    if (request.method !== "POST") return { status: 405, error: "only POST is accepted" };
    const bytes = await readBody(request, REQUEST_MAX_BYTES);
    if (bytes === undefined) return { status: 413, error: "request body too large" };
    const parsed = requestBody.safeParse(parseJson(new TextDecoder().decode(bytes)));
    if (!parsed.success) return { status: 400, error: "invalid JSON request body" };
    const { resource, headers, body } = parsed.data;
    const bearer = bearerOf(headers) ?? bearerOf(Object.fromEntries(request.headers));
    const found = findResource(resource);
    if (found?.open === true) return await this.#opened(request, found, parsed.data);
    const scope = this.#scope(request, bearer);
    if (scope === undefined) return { status: 401, error: "unauthorized" };
    if (found === undefined) return { status: 404, resource, error: `unknown resource: ${resource}` };
    return await this.#run(found, parsed.data.method, { scope, bearer: bearer ?? "", body, resource });
  }

  /** A resource that brings its own proof: a login code instead of a token. */
  async #opened(
    request: Request,
    found: FoundResource,
    { method, resource, headers, body }: z.output<typeof requestBody>,
  ): Promise<Envelope> {
    const peer = this.#parts.peerAddress(request);
    if (this.#throttle.isOver(peer)) return { status: 401, error: "unauthorized" };
    const bearer = bearerOf(headers) ?? "";
    const scope = bearer === "" ? undefined : this.#scope(request, bearer);
    const result = await this.#run(found, method, { scope, bearer, body, resource });
    if (result.status === 401) {
      this.#throttle.failed(peer);
      return { status: 401, error: "unauthorized" };
    }
    return result;
  }

  /** @returns undefined for who may nothing, and for everyone at an address that failed too often */
  #scope(request: Request, bearer: string | undefined): Scope | undefined {
    const peer = this.#parts.peerAddress(request);
    if (this.#throttle.isOver(peer) || bearer === undefined) return undefined;
    const scope = this.#parts.sessions.scopeOf(bearer);
    if (scope === undefined) this.#throttle.failed(peer);
    else this.#throttle.succeeded(peer);
    return scope;
  }

  async #run(
    found: FoundResource,
    methodText: string,
    call: Omit<AdminCall, "operations" | "callUnknown" | "sessions" | "argument">,
  ): Promise<Envelope> {
    const { resource } = call;
    const method = methodText.toUpperCase() as AdminMethod;
    const handler = found.methods[method];
    if (handler === undefined) {
      const allowed = Object.keys(found.methods).join(", ");
      return { status: 405, resource, error: `method ${methodText} not allowed, expected ${allowed}` };
    }
    const { operations, sessions, log } = this.#parts;
    // Open resources call no operations.
    const scope = call.scope ?? "read";
    try {
      const result = await handler({
        ...call,
        argument: found.argument,
        operations: operations.as("admin", scope),
        callUnknown: (name, input) => operations.callUnknown(name, input, { face: "admin", scope }),
        sessions,
      });
      return { resource, ...result };
    } catch (error) {
      if (error instanceof OperationError)
        return { status: statusOf[error.fault], resource, error: error.message };
      if (error instanceof z.ZodError) return { status: 400, resource, error: z.prettifyError(error) };
      log.emit({ kind: "internalFault", where: "admin API", error });
      return { status: 500, resource, error: "internal fault" };
    }
  }
}

function bearerOf(headers: Record<string, string>): string | undefined {
  const value = headers["Authorization"] ?? headers["authorization"];
  return value?.startsWith("Bearer ") === true ? value.slice("Bearer ".length).trim() : undefined;
}
