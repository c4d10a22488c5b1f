/** Where monitoring asks: `/metrics`, `/healthz`, `/readyz`. A listener of its own, away from what the world reaches. */
import type { ListenAddress } from "../config/config.ts";
import type { Service } from "../core/service.ts";
import type { Log } from "../log/events.ts";
import { ListenError } from "../net/listener.ts";
import { CLASSIC_TYPE, exposition, OPEN_METRICS_TYPE } from "./exposition.ts";
import type { Figures } from "./figures.ts";
import { families } from "./page.ts";

export interface MetricsServerParts {
  listen: readonly ListenAddress[];
  figures: Figures;
  /** What keeps the relay from serving; undefined while it serves. */
  unready: () => string | undefined;
  log: Log;
}

export class MetricsServer implements Service {
  readonly name = "metrics";
  readonly #parts: MetricsServerParts;
  readonly #servers: Bun.Server<undefined>[] = [];

  constructor(parts: MetricsServerParts) {
    this.#parts = parts;
  }

  /** @throws {ListenError} for the first address that can't be had (as a rejection) */
  async start(): Promise<void> {
    for (const { host, port } of this.#parts.listen) {
      try {
        this.#servers.push(
          Bun.serve({
            hostname: host,
            port,
            fetch: (request) => this.answer(request),
            error: (error) => {
              this.#parts.log.emit({ kind: "internalFault", where: "metrics", error });
              return new Response("internal fault\n", { status: 500 });
            },
          }),
        );
      } catch (error) {
        await this.stop();
        const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
        throw new ListenError(`[metrics] listen: cannot bind ${host}:${port} (${code})`, code, error);
      }
    }
  }

  /** `host:port` as bound. */
  bound(): string[] {
    return this.#servers.map(({ hostname, port }) =>
      hostname?.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`,
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.splice(0).map((server) => server.stop(true)));
  }

  answer(request: Request): Response {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("method not allowed\n", { status: 405, headers: { allow: "GET, HEAD" } });
    }
    switch (new URL(request.url).pathname) {
      case "/metrics": {
        const isOpen = request.headers.get("accept")?.includes("application/openmetrics-text") === true;
        const text = exposition(families(this.#parts.figures), isOpen ? "openMetrics" : "classic");
        return new Response(text, { headers: { "content-type": isOpen ? OPEN_METRICS_TYPE : CLASSIC_TYPE } });
      }
      case "/healthz":
        return new Response("ok\n");
      case "/readyz": {
        const why = this.#parts.unready();
        return why === undefined ? new Response("ready\n") : new Response(`${why}\n`, { status: 503 });
      }
      default:
        return new Response("not found\n", { status: 404 });
    }
  }
}
