/** What every request to the REST API passes, in this order: CORS, cookie check, rate, headers, request id, packing, login. */
import { timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { cors } from "hono/cors";
import type { Clock } from "../../core/clock.ts";
import { networkOf } from "../../net/connection-limits.ts";
import { RateLimiter } from "../../policy/rate.ts";
import type { RestSettings } from "./settings.ts";

const DAY_S = 86_400;
const CSRF_COOKIE = "_csrf";
const CSRF_HEADER = "X-CSRF-Token";
const CSRF_CHARS = 32;
const REQUEST_ID_MAX_CHARS = 128;
const SECONDS_PER_MINUTE = 60;
const safeMethods = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

export function corsFor({ corsOrigins }: RestSettings): MiddlewareHandler {
  const everywhere = corsOrigins.includes("*");
  return cors({
    origin: everywhere ? "*" : [...corsOrigins],
    // A browser takes credentials from named origins only.
    credentials: !everywhere,
    allowMethods: ["POST", "GET", "PUT", "DELETE", "PATCH", "HEAD"],
    maxAge: DAY_S,
    exposeHeaders: ["Content-Length", "Page", "NextCursor", "PreviousCursor", "TotalResults", "TotalPages"],
  });
}

/** Double submit: the header must repeat the cookie, which another site's page cannot read. */
export function cookieCheck({ checkCookies, cookieDomain }: RestSettings): MiddlewareHandler {
  return async (c, next) => {
    if (!checkCookies) return await next();
    const cookie = getCookie(c, CSRF_COOKIE);
    const shown = c.req.header(CSRF_HEADER);
    if (
      !safeMethods.has(c.req.method) &&
      (cookie === undefined || shown === undefined || !same(cookie, shown))
    ) {
      return problem(c, 403, "invalid csrf token");
    }
    setCookie(c, CSRF_COOKIE, cookie ?? randomText(CSRF_CHARS), {
      path: "/",
      maxAge: DAY_S,
      secure: true,
      httpOnly: true,
      ...(cookieDomain === undefined ? {} : { domain: cookieDomain }),
    });
    await next();
    return undefined;
  };
}

export function rateLimit(
  { requestsPerSecond }: RestSettings,
  clock: Clock,
  peerAddress: (request: Request) => string,
): MiddlewareHandler {
  const burst = Math.max(1, Math.ceil(requestsPerSecond));
  const limiter = new RateLimiter({ perMinute: requestsPerSecond * SECONDS_PER_MINUTE, burst }, clock);
  return async (c, next) => {
    const network = networkOf(peerAddress(c.req.raw));
    if (limiter.take(network)) return await next();
    c.header("Retry-After", String(Math.max(1, Math.ceil(limiter.waitMs(network) / 1000))));
    return c.text("You have reached maximum request limit.", 429);
  };
}

export function securityHeaders({ contentSecurityPolicy }: RestSettings): MiddlewareHandler {
  const headers: Record<string, string> = {
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "X-Frame-Options": "DENY",
    "Strict-Transport-Security": "max-age=5184000; includeSubDomains",
    "X-Download-Options": "noopen",
    "X-XSS-Protection": "1; mode=block",
    "Cache-Control": "no-store",
    ...(contentSecurityPolicy === undefined ? {} : { "Content-Security-Policy": contentSecurityPolicy }),
  };
  return async (c, next) => {
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
    await next();
  };
}

/** Keeps the caller's id where it could be one. */
export const requestId: MiddlewareHandler = async (c, next) => {
  const given = c.req.header("X-Request-Id") ?? "";
  const usable = given.length <= REQUEST_ID_MAX_CHARS && /^[\w.:-]+$/.test(given);
  c.header("X-Request-Id", usable ? given : randomText(20));
  await next();
};

/** HTTP Basic (RFC 7617); both values are compared in constant time, and both always. */
export function login({ email, password }: RestSettings): MiddlewareHandler {
  return async (c, next) => {
    const [name, secret] = credentials(c.req.header("Authorization") ?? "");
    const isName = same(name, email);
    const isSecret = same(secret, password);
    if (isName && isSecret) return await next();
    c.header("WWW-Authenticate", "basic realm=Restricted");
    return problem(c, 401, "Unauthorized");
  };
}

export type ProblemStatus = 400 | 401 | 403 | 404 | 409 | 413 | 429 | 500 | 503;

/** RFC 9457, and `message` for scripts that read that. */
export function problem(c: Context, status: ProblemStatus, message: string): Response {
  const body = JSON.stringify({ status, title: message, message });
  return c.body(body, status, { "Content-Type": "application/problem+json" });
}

function credentials(header: string): [name: string, secret: string] {
  const encoded = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header)?.[1];
  if (encoded === undefined) return ["", ""];
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon === -1 ? ["", ""] : [text.slice(0, colon), text.slice(colon + 1)];
}

function same(a: string, b: string): boolean {
  const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function randomText(chars: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(chars)))
    .toString("base64url")
    .slice(0, chars);
}
