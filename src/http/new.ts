/**
 * `/new`: an account for who asks. POST makes one, GET never does (crawlers and link previews follow links).
 * Nothing about a visitor is kept but the rate of account creation by network, in RAM.
 */
import type { Context, Hono } from "hono";
import type { Address } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { networkOf } from "../net/connection-limits.ts";
import { RateLimiter } from "../policy/rate.ts";
import { readBody } from "./body.ts";
import { corsHeaders, crossOrigin, preflight } from "./cors.ts";
import type { RegistrationStatus, SiteFacts } from "./facts.ts";
import { dcaccountLink, dcloginLink } from "./links.ts";
import { qrSvg } from "./qr.ts";
import { placeOf, wantsPage } from "./visit.ts";
import { accountPage, messagePage } from "./www/account.tsx";
import type { NewAccountRefusal } from "./www/texts.ts";
import { textsOf } from "./www/translations.ts";

/** A request to `/new` holds a token at most. */
const NEW_BODY_MAX_BYTES = 4096;
/** Longer ones are no tokens of ours, and would not fit a QR code. */
const TOKEN_MAX_CHARS = 256;
const CORS = { methods: "POST, OPTIONS", headers: "Content-Type" };

export type RegistrationRefusal = Exclude<
  NewAccountRefusal,
  "tooMany" | "badRequest" | "tooBig" | "methodNotAllowed"
>;

/** Who makes accounts. */
export interface Registration {
  /** What a visitor without a token can expect. Live, from RAM. */
  status(): RegistrationStatus;
  /** A valid token opens a closed registration too. Never rejects. */
  createAccount(request: {
    token?: string;
  }): Promise<{ ok: true; address: Address; password: string } | { ok: false; why: RegistrationRefusal }>;
}

export interface NewParts {
  facts(): SiteFacts;
  registration: Registration;
  /** Accounts from one IP address (of IPv6: one /64). Asked at each request. */
  newRate(): { perMinute: number; burst: number };
  peerAddress(request: Request): string;
  /** Origins of other sites whose pages may make accounts here; `*` is all. None unless given. */
  corsOrigins?(): readonly string[];
  clock: Clock;
}

const statusOf: Record<NewAccountRefusal, 400 | 403 | 405 | 413 | 429 | 503> = {
  closed: 403,
  tokenRequired: 403,
  tokenUnknown: 403,
  tokenExpired: 403,
  tokenUsedUp: 403,
  unavailable: 503,
  tooMany: 429,
  badRequest: 400,
  tooBig: 413,
  methodNotAllowed: 405,
};

/** @param offer the page that offers an account to a visitor with this token */
export function addNew(
  app: Hono,
  parts: NewParts,
  offer: (c: Context, token?: string) => Promise<Response>,
): void {
  const limiter = new RateLimiter(parts.newRate(), parts.clock);
  app.get("/new", async (c) => {
    const { trusted, host, ports } = parts.facts();
    const token = tokenOf(c.req.query("token"));
    c.header("Cache-Control", "no-store");
    if (trusted) return c.redirect(dcaccountLink(host, ports.https, token), 302);
    return await offer(c, token);
  });
  app.use("/new", async (c, next) => {
    const cross = crossOrigin(c.req.raw, parts.corsOrigins?.() ?? []);
    const headers = corsHeaders(cross, CORS);
    if (c.req.method === "OPTIONS" && cross !== "none") return preflight(cross, headers);
    await next();
    for (const [name, value] of Object.entries(headers)) c.res.headers.set(name, value);
    return undefined;
  });
  app.post("/new", (c) => createAccount(c, parts, limiter));
  app.all("/new", (c) => {
    c.header("Allow", "GET, HEAD, POST");
    return refuse(c, parts, "methodNotAllowed");
  });
}

/** The token that a query or path names, if it can be one. */
export function tokenOf(text: string | null | undefined): string | undefined {
  const token = text?.trim().slice(0, TOKEN_MAX_CHARS);
  return token === "" ? undefined : token;
}

async function createAccount(c: Context, parts: NewParts, limiter: RateLimiter): Promise<Response> {
  const network = networkOf(parts.peerAddress(c.req.raw));
  limiter.change(parts.newRate());
  if (!limiter.take(network)) {
    c.header("Retry-After", String(Math.max(1, Math.ceil(limiter.waitMs(network) / 1000))));
    return refuse(c, parts, "tooMany");
  }
  const asked = await requestedToken(c);
  if (!asked.ok) return refuse(c, parts, asked.why);
  const made = await parts.registration.createAccount(
    asked.token === undefined ? {} : { token: asked.token },
  );
  if (!made.ok) return refuse(c, parts, made.why);
  const facts = parts.facts();
  const { address, password } = made;
  const { host, ports, trusted, linkSecurity: security } = facts;
  const loginLink = dcloginLink({ address, password, host, ports, trusted, security });
  c.header("Cache-Control", "no-store");
  if (!wantsPage(c)) return c.json({ email: address, password, dclogin_url: loginLink });
  const place = placeOf(c, facts);
  const svg = qrSvg(loginLink, place.texts.account.qrLabel);
  return c.html(accountPage(place, facts, { address, password, loginLink, qrSvg: svg }));
}

type AskedToken = { ok: true; token: string | undefined } | { ok: false; why: NewAccountRefusal };

/** The token from the query, a form or a JSON body; clients send no body at all. */
async function requestedToken(c: Context): Promise<AskedToken> {
  const body = await readBody(c.req.raw, NEW_BODY_MAX_BYTES);
  if (body === undefined) return { ok: false, why: "tooBig" };
  const query = tokenOf(c.req.query("token"));
  if (query !== undefined || body.length === 0) return { ok: true, token: query };
  const text = new TextDecoder().decode(body);
  const type = c.req.header("content-type") ?? "";
  if (type.startsWith("application/x-www-form-urlencoded")) {
    return { ok: true, token: tokenOf(new URLSearchParams(text).get("token")) };
  }
  if (!type.startsWith("application/json")) return { ok: true, token: undefined };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { ok: false, why: "badRequest" };
  }
  if (typeof json !== "object" || json === null) return { ok: false, why: "badRequest" };
  const token = "token" in json ? json.token : undefined;
  if (token !== undefined && token !== null && typeof token !== "string") {
    return { ok: false, why: "badRequest" };
  }
  return { ok: true, token: tokenOf(token) };
}

/** `reason` is what clients show to people, `error` what scripts of the predecessor read. */
function refuse(c: Context, parts: NewParts, why: NewAccountRefusal): Response | Promise<Response> {
  c.header("Cache-Control", "no-store");
  if (!wantsPage(c)) {
    const text = textsOf.en.refusals[why];
    return c.json({ reason: text, error: text }, statusOf[why]);
  }
  const facts = parts.facts();
  const place = placeOf(c, facts);
  const said = { title: place.texts.refusedTitle, lead: place.texts.refusals[why] };
  return c.html(messagePage(place, facts, said), statusOf[why]);
}
