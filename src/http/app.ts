/**
 * The public site: start page, account creation, autoconfig. Hono on `fetch`, no port of its own.
 *
 * Invariants
 * - GET never creates anything (crawlers and link previews follow links).
 * - Nothing about a visitor is kept but the rate of account creation by network, in RAM.
 * - A page may load nothing from elsewhere and run no script; the policy header says so.
 */
import { createHash } from "node:crypto";
import { type Context, Hono } from "hono";
import favicon from "../../web/favicon.svg" with { type: "text" };
import type { Address, Domain } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../log/events.ts";
import { networkOf } from "../net/connection-limits.ts";
import { RateLimiter } from "../policy/rate.ts";
import { addAcmeChallenge } from "./acme-challenge.ts";
import { autoconfigXml } from "./autoconfig.ts";
import { readBody } from "./body.ts";
import { corsHeaders, crossOrigin, preflight } from "./cors.ts";
import { dcaccountLink, dcloginLink, type ServicePorts } from "./links.ts";
import { accountPage, landingPage, messagePage, type Offer, styleSheet } from "./pages.tsx";
import { qrSvg } from "./qr.ts";
import { english, type NewAccountRefusal } from "./texts.ts";
import { addWellKnown, type WellKnown } from "./well-known.ts";

/** A request to `/new` holds a token at most. */
const NEW_BODY_MAX_BYTES = 4096;
/** Longer ones are no tokens of ours, and would not fit a QR code. */
const TOKEN_MAX_CHARS = 256;
/** Accounts from one IP address (of IPv6: one /64). */
const NEW_ACCOUNT_RATE = { perMinute: 120, burst: 5 };
const NEW_CORS = { methods: "POST, OPTIONS", headers: "Content-Type" };
const DAY_S = 86_400;
const HOUR_S = 3600;

export type RegistrationRefusal = Exclude<
  NewAccountRefusal,
  "tooMany" | "badRequest" | "tooBig" | "methodNotAllowed"
>;

/** Who makes accounts. */
export interface Registration {
  /** What a visitor without a token can expect. Live, from RAM. */
  status(): "open" | "tokenRequired" | "closed";
  /** A valid token opens a closed registration too. Never rejects. */
  createAccount(request: {
    token?: string;
  }): Promise<{ ok: true; address: Address; password: string } | { ok: false; why: RegistrationRefusal }>;
}

/** What the site says about the relay. */
export interface SiteFacts {
  /** Domain of new accounts. */
  domain: Domain;
  /** Name or IP address that clients connect to, without brackets. */
  host: string;
  ports: ServicePorts;
  /** Whether the certificate is publicly trusted. */
  trusted: boolean;
  messageMaxBytes: number;
  /** Of a new account; 0 is unlimited. */
  quotaBytes: number;
  /** Link of the Shadowsocks proxy, where everybody may know it. */
  proxyLink?: string | undefined;
}

export interface AppParts {
  /** Asked at each request, so that a reload shows at once. */
  facts(): SiteFacts;
  registration: Registration;
  wellKnown: WellKnown;
  /** The proof for a certificate authority, by `Host` and token. */
  acmeProof?: (host: string, token: string) => string | undefined;
  /** Socket address of the peer; for throttling only. */
  peerAddress(request: Request): string;
  /** Origins of other sites whose pages may make accounts here; `*` is all. None unless given. */
  corsOrigins?(): readonly string[];
  /** Mail from other relays (`/mxdeliv`). */
  federation?: (request: Request) => Promise<Response>;
  clock: Clock;
  log: Log;
}

const styleHash = createHash("sha256").update(styleSheet).digest("base64");
const securityHeaders: Readonly<Record<string, string>> = {
  "Content-Security-Policy":
    `default-src 'none'; style-src 'sha256-${styleHash}'; img-src 'self'; form-action 'self'; ` +
    "base-uri 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  // Paths and queries may hold tokens.
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
};

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

/** The site as a Hono app; its `fetch` is what `Bun.serve` wants. */
export function createApp(parts: AppParts): Hono {
  const app = new Hono();
  const { federation } = parts;
  const limiter = new RateLimiter(NEW_ACCOUNT_RATE, parts.clock);
  const rememberedQr = lastOnly((link: string) => qrSvg(link, english.qrLabel));
  const proxyQr = lastOnly((link: string) => qrSvg(link, english.proxyQrLabel));
  const aboutOf = ({ proxyLink, ...facts }: SiteFacts) => ({
    ...facts,
    proxy: proxyLink === undefined ? undefined : { link: proxyLink, qrSvg: proxyQr(proxyLink) },
  });

  app.use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(securityHeaders)) c.res.headers.set(name, value);
  });

  // Relays ask with and without the slash.
  if (federation !== undefined) {
    for (const path of ["/mxdeliv", "/mxdeliv/"]) app.all(path, (c) => federation(c.req.raw));
  }
  app.get("/", (c) => {
    const facts = parts.facts();
    const offer = offerOf(facts, parts.registration.status(), tokenOf(c.req.query("token")), rememberedQr);
    c.header("Cache-Control", "no-cache");
    return c.html(landingPage(english, aboutOf(facts), offer));
  });
  app.get("/new", (c) => {
    const facts = parts.facts();
    const token = tokenOf(c.req.query("token"));
    c.header("Cache-Control", "no-store");
    if (facts.trusted) return c.redirect(dcaccountLink(facts.host, facts.ports.https, token), 302);
    return c.html(
      landingPage(english, aboutOf(facts), offerOf(facts, parts.registration.status(), token, rememberedQr)),
    );
  });
  app.use("/new", async (c, next) => {
    const cross = crossOrigin(c.req.raw, parts.corsOrigins?.() ?? []);
    const headers = corsHeaders(cross, NEW_CORS);
    if (c.req.method === "OPTIONS" && cross !== "none") return preflight(cross, headers);
    await next();
    for (const [name, value] of Object.entries(headers)) c.res.headers.set(name, value);
    return undefined;
  });
  app.post("/new", (c) => createAccount(c, parts, limiter));
  app.all("/new", (c) => {
    c.header("Allow", "GET, HEAD, POST");
    return refuseAccount(c, parts, "methodNotAllowed");
  });

  for (const path of ["/.well-known/autoconfig/mail/config-v1.1.xml", "/mail/config-v1.1.xml"]) {
    app.get(path, (c) => serve(c, autoconfigXml(parts.facts()), "application/xml; charset=utf-8", HOUR_S));
  }
  addWellKnown(app, parts.wellKnown);
  if (parts.acmeProof !== undefined) addAcmeChallenge(app, parts.acmeProof);
  app.get("/robots.txt", (c) =>
    serve(c, "User-agent: *\nDisallow: /new\n", "text/plain; charset=utf-8", DAY_S),
  );
  app.get("/favicon.svg", (c) => serve(c, favicon, "image/svg+xml", DAY_S));

  for (const { path } of app.routes.filter((route) => route.method === "GET" && route.path !== "/new")) {
    app.all(path, (c) => {
      c.header("Allow", "GET, HEAD");
      return say(c, parts, 405, english.methodTitle, english.methodLead);
    });
  }
  app.notFound((c) => say(c, parts, 404, english.notFoundTitle, english.notFoundLead));
  app.onError((error, c) => {
    parts.log.emit({ kind: "internalFault", where: "http", error });
    return say(c, parts, 500, english.faultTitle, english.faultLead);
  });
  return app;
}

async function createAccount(c: Context, parts: AppParts, limiter: RateLimiter): Promise<Response> {
  const network = networkOf(parts.peerAddress(c.req.raw));
  if (!limiter.take(network)) {
    c.header("Retry-After", String(Math.max(1, Math.ceil(limiter.waitMs(network) / 1000))));
    return refuseAccount(c, parts, "tooMany");
  }
  const asked = await requestedToken(c);
  if (!asked.ok) return refuseAccount(c, parts, asked.why);
  const made = await parts.registration.createAccount(
    asked.token === undefined ? {} : { token: asked.token },
  );
  if (!made.ok) return refuseAccount(c, parts, made.why);
  const facts = parts.facts();
  const { address, password } = made;
  const { host, ports, trusted, domain } = facts;
  const loginLink = dcloginLink({ address, password, host, ports, trusted });
  c.header("Cache-Control", "no-store");
  if (!wantsPage(c)) return c.json({ email: address, password, dclogin_url: loginLink });
  const svg = qrSvg(loginLink, english.qrLabel);
  return c.html(accountPage(english, { domain, address, password, loginLink, qrSvg: svg, trusted }));
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

function tokenOf(text: string | null | undefined): string | undefined {
  const token = text?.trim().slice(0, TOKEN_MAX_CHARS);
  return token === "" ? undefined : token;
}

/** `reason` is what clients show to people, `error` what scripts of the predecessor read. */
function refuseAccount(c: Context, parts: AppParts, why: NewAccountRefusal): Response | Promise<Response> {
  const text = english.refusals[why];
  c.header("Cache-Control", "no-store");
  if (wantsPage(c)) return say(c, parts, statusOf[why], english.refusedTitle, text);
  return c.json({ reason: text, error: text }, statusOf[why]);
}

type Status = 400 | 403 | 404 | 405 | 413 | 429 | 500 | 503;

function say(
  c: Context,
  parts: AppParts,
  status: Status,
  title: string,
  lead: string,
): Response | Promise<Response> {
  if (!wantsPage(c)) return c.text(`${title}. ${lead}\n`, status);
  return c.html(messagePage(english, parts.facts().domain, title, lead), status);
}

function serve(c: Context, body: string, type: string, maxAgeS: number): Response {
  return c.body(body, 200, { "Content-Type": type, "Cache-Control": `public, max-age=${maxAgeS}` });
}

/** Browsers name text/html; mail clients and scripts don't. */
function wantsPage(c: Context): boolean {
  return (c.req.header("accept") ?? "").includes("text/html");
}

function offerOf(
  facts: SiteFacts,
  status: "open" | "tokenRequired" | "closed",
  token: string | undefined,
  qr: (link: string) => string,
): Offer {
  if (token === undefined && status === "closed") return { kind: "closed" };
  if (token === undefined && status === "tokenRequired") {
    return { kind: "token", action: facts.trusted ? "/" : "/new" };
  }
  if (!facts.trusted) return { kind: "form", token };
  const href = dcaccountLink(facts.host, facts.ports.https, token);
  return { kind: "link", href, qrSvg: qr(href) };
}

/** Remembers the last answer: the start page shows everybody the same code, and drawing one takes milliseconds. */
function lastOnly(make: (key: string) => string): (key: string) => string {
  let last: { key: string; value: string } | undefined;
  return (key) => {
    if (last?.key !== key) last = { key, value: make(key) };
    return last.value;
  };
}
