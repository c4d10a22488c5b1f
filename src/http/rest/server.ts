/** The REST API's own listener, apart from the site: scripts and reverse proxies reach it, visitors do not. */
import type { ListenAddress } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../log/events.ts";
import type { Caller } from "../../operations/operations.ts";
import { createRestApp } from "./app.ts";
import type { RestRoute } from "./route.ts";
import type { RestSettings } from "./settings.ts";

const IDLE_TIMEOUT_S = 30;
const BODY_MAX_BYTES = 1024 * 1024;

export interface RestServerParts {
  listen: readonly ListenAddress[];
  settings: RestSettings;
  routes: readonly RestRoute[];
  operations: Caller;
  clock: Clock;
  log: Log;
}

export class RestServer {
  readonly #parts: RestServerParts;
  readonly #servers: Bun.Server<undefined>[] = [];

  constructor(parts: RestServerParts) {
    this.#parts = parts;
  }

  /** @throws {Error} for the first address that can't be had; then none stays bound */
  start(): void {
    const { settings, routes, operations, clock, log } = this.#parts;
    const peers = new WeakMap<Request, string>();
    const peerAddress = (request: Request) => peers.get(request) ?? "";
    const app = createRestApp({ settings, routes, operations, peerAddress, clock, log });
    try {
      for (const { host, port } of this.#parts.listen) {
        const server = Bun.serve({
          hostname: host,
          port,
          idleTimeout: IDLE_TIMEOUT_S,
          maxRequestBodySize: BODY_MAX_BYTES,
          development: false,
          fetch: (request, bound) => {
            peers.set(request, bound.requestIP(request)?.address ?? "");
            return app.fetch(request);
          },
        });
        this.#servers.push(server);
      }
    } catch (error) {
      for (const server of this.#servers.splice(0)) void server.stop(true);
      throw error;
    }
  }

  /** `host:port` as bound. */
  bound(): string[] {
    return this.#servers.map(({ hostname, port }) => `${hostname}:${port}`);
  }

  /** Lets running requests finish. */
  async stop(): Promise<void> {
    await Promise.all(this.#servers.splice(0).map((server) => server.stop(false)));
  }
}
