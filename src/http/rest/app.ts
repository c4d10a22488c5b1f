/**
 * The REST API for provisioning scripts, as the fork of maddy has it: users, mailbox accounts and quotas, each with a
 * life of its own. Thin: every endpoint calls operations.
 */
import { type Context, Hono } from "hono";
import { compress } from "hono/compress";
import { z } from "zod";
import type { Clock } from "../../core/clock.ts";
import { parseJson } from "../../core/json.ts";
import { version } from "../../core/version.ts";
import type { Log } from "../../log/events.ts";
import { OperationError, type OperationFault } from "../../operations/operation.ts";
import type { Caller } from "../../operations/operations.ts";
import { readBody } from "../body.ts";
import {
  cookieCheck,
  corsFor,
  login,
  problem,
  type ProblemStatus,
  rateLimit,
  requestId,
  securityHeaders,
} from "./middleware.ts";
import { openApiDocument } from "./openapi.ts";
import type { RestRoute } from "./route.ts";
import type { RestSettings } from "./settings.ts";

const BODY_MAX_BYTES = 64 * 1024;

const statusOf: Record<OperationFault, ProblemStatus> = {
  invalid: 400,
  notFound: 404,
  conflict: 409,
  refused: 403,
  notRunning: 503,
  running: 409,
  unavailable: 503,
  failed: 500,
};

export interface RestAppParts {
  settings: RestSettings;
  routes: readonly RestRoute[];
  operations: Caller;
  peerAddress: (request: Request) => string;
  clock: Clock;
  log: Log;
}

export function createRestApp({ settings, routes, operations, peerAddress, clock, log }: RestAppParts): Hono {
  const app = new Hono();
  app.use(corsFor(settings));
  app.use(cookieCheck(settings));
  app.use(rateLimit(settings, clock, peerAddress));
  app.use(securityHeaders(settings));
  app.use(requestId);
  app.use(compress());
  app.use("/v1/*", login(settings));
  app.get("/", (c) => c.json("OK"));
  app.get("/version", (c) => c.json(version));
  app.get("/openapi.json", (c) => c.json(openApiDocument(routes)));
  for (const route of routes) {
    app.on(route.method.toUpperCase(), route.path, (c) => answer(c, route, operations));
  }
  app.notFound((c) => problem(c, 404, "Not Found"));
  app.onError((error, c) => {
    if (error instanceof OperationError) return problem(c, statusOf[error.fault], error.message);
    if (error instanceof z.ZodError) return problem(c, 400, z.prettifyError(error));
    log.emit({ kind: "internalFault", where: "REST API", error });
    return problem(c, 500, "Internal Server Error");
  });
  return app;
}

async function answer(c: Context, route: RestRoute, operations: Caller): Promise<Response> {
  const query = route.query?.parse(c.req.query());
  let body: unknown;
  if (route.body !== undefined) {
    const bytes = await readBody(c.req.raw, BODY_MAX_BYTES);
    if (bytes === undefined) return problem(c, 413, "Request Entity Too Large");
    const json = parseJson(new TextDecoder().decode(bytes));
    if (json === undefined) return problem(c, 400, "the body is not JSON");
    body = route.body.parse(json);
  }
  const reply = await route.handle({ operations, params: c.req.param(), query, body });
  return reply.body === undefined ? c.body(null, reply.status) : c.json(reply.body, reply.status);
}
