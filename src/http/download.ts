/**
 * `/madmail`: this very program, so that a new relay can be set up from a running one, also where nothing else can be
 * reached. Off where the operator says so, and in a development run, whose program is not this one.
 */
import type { Hono } from "hono";
import type { Clock } from "../core/clock.ts";
import { networkOf } from "../net/connection-limits.ts";
import { RateLimiter } from "../policy/rate.ts";
import type { SiteFacts } from "./facts.ts";

/** 100 MB each: a few for one network, in case the line breaks, and then one every five minutes. */
const DOWNLOAD_RATE = { perMinute: 0.2, burst: 4 };

export interface DownloadParts {
  facts(): SiteFacts;
  peerAddress(request: Request): string;
  clock: Clock;
  /** The executable. */
  program: string | undefined;
}

export function addDownload(app: Hono, parts: DownloadParts): void {
  const limiter = new RateLimiter(DOWNLOAD_RATE, parts.clock);
  app.get("/madmail", (c, next) => {
    const { program } = parts;
    if (program === undefined || !parts.facts().download) return next();
    const file = Bun.file(program);
    const headers = {
      "Content-Type": "application/octet-stream",
      "Content-Disposition": 'attachment; filename="madmail"',
      "Cache-Control": "no-cache",
    };
    if (c.req.method === "HEAD")
      return c.body(null, 200, { ...headers, "Content-Length": String(file.size) });
    const network = networkOf(parts.peerAddress(c.req.raw));
    if (limiter.take(network)) return new Response(file, { headers });
    const seconds = Math.ceil(limiter.waitMs(network) / 1000);
    return c.text("Too many downloads from your network, please wait a little\n", 429, {
      "Retry-After": String(seconds),
    });
  });
}
