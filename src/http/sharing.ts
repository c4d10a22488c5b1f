/**
 * Contact sharing: `/share` makes a short address, `/{slug}` shows the invitation behind it. Both are 404 while the
 * operator has it off. Who made an address is kept nowhere.
 */
import type { Context, Hono } from "hono";
import type { Clock } from "../core/clock.ts";
import { CONTACT_NAME_MAX_CHARS, isReservedSlug, parseInvite, parseSlug } from "../core/contact.ts";
import { networkOf } from "../net/connection-limits.ts";
import { RateLimiter } from "../policy/rate.ts";
import { readBody } from "./body.ts";
import type { SiteFacts } from "./facts.ts";
import { qrSvg } from "./qr.ts";
import { placeOf, wantsPage } from "./visit.ts";
import { contactPage, sharedPage, sharePage, type ShareInput } from "./www/share.tsx";
import type { ShareRefusal } from "./www/texts.ts";
import { textsOf } from "./www/translations.ts";

const BODY_MAX_BYTES = 8192;
/** Addresses from one IP address (of IPv6: one /64). */
const SHARE_RATE = { perMinute: 10, burst: 5 };
const MADE_UP_TRIES_MAX = 10;
const MADE_UP_CHARS = 8;
/** 32 of them, none to be taken for another. */
const ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789";

export interface SharedContact {
  slug: string;
  /** `openpgp4fpr:…` */
  url: string;
  name: string;
}

/** Where they are kept. */
export interface Contacts {
  find(slug: string): SharedContact | undefined;
  add(contact: SharedContact): "reserved" | "taken" | "full" | undefined;
}

export interface SharingParts {
  facts(): SiteFacts;
  contacts: Contacts;
  peerAddress(request: Request): string;
  /** Whether it came by TLS: behind the front door all are plain. */
  isSecure(request: Request): boolean;
  clock: Clock;
  /** The operator's own page in place of ours, if there is one. */
  customPage?: (c: Context, file: string, contact?: SharedContact) => Promise<Response | undefined>;
}

const statusOf: Record<ShareRefusal, 400 | 409 | 429> = {
  badLink: 400,
  badName: 400,
  badSlug: 400,
  reserved: 409,
  taken: 409,
  tooMany: 429,
  badRequest: 400,
};

export function addSharing(app: Hono, parts: SharingParts): void {
  const limiter = new RateLimiter(SHARE_RATE, parts.clock);
  app.get("/share", async (c, next) => {
    const facts = parts.facts();
    if (!facts.sharing) return next();
    const custom = await parts.customPage?.(c, "contact_share.html");
    return custom ?? c.html(sharePage(placeOf(c, facts), facts));
  });
  app.post("/share", (c, next) => (parts.facts().sharing ? share(c, parts, limiter) : next()));
  app.get("/:slug/qr.svg", (c, next) => {
    const contact = contactOf(c, parts);
    if (contact === undefined) return next();
    const svg = qrSvg(contact.url, textsOf.en.share.qrLabel);
    return c.body(svg, 200, { "Content-Type": "image/svg+xml", "Cache-Control": "no-cache" });
  });
  app.get("/:slug", async (c, next) => {
    const contact = contactOf(c, parts);
    if (contact === undefined) return next();
    const facts = parts.facts();
    const custom = await parts.customPage?.(c, "contact_view.html", contact);
    if (custom !== undefined) return custom;
    const place = placeOf(c, facts);
    c.header("Cache-Control", "no-cache");
    return c.html(contactPage(place, facts, contact, qrSvg(contact.url, place.texts.share.qrLabel)));
  });
}

function contactOf(c: Context, parts: SharingParts): SharedContact | undefined {
  if (!parts.facts().sharing) return undefined;
  const slug = parseSlug(c.req.param("slug") ?? "");
  return slug === undefined || isReservedSlug(slug) ? undefined : parts.contacts.find(slug);
}

async function share(c: Context, parts: SharingParts, limiter: RateLimiter): Promise<Response> {
  c.header("Cache-Control", "no-store");
  const type = c.req.header("content-type") ?? "";
  if (!type.startsWith("application/x-www-form-urlencoded")) {
    return c.text("Send a form as application/x-www-form-urlencoded\n", 415);
  }
  const body = await readBody(c.req.raw, BODY_MAX_BYTES);
  const form = new URLSearchParams(body === undefined ? "" : new TextDecoder().decode(body));
  const input = { url: form.get("url") ?? "", name: form.get("name") ?? "", slug: form.get("slug") ?? "" };
  if (body === undefined) return refuse(c, parts, "badRequest", input);
  const network = networkOf(parts.peerAddress(c.req.raw));
  if (!limiter.take(network)) {
    c.header("Retry-After", String(Math.max(1, Math.ceil(limiter.waitMs(network) / 1000))));
    return refuse(c, parts, "tooMany", input);
  }
  const made = add(input, parts.contacts);
  if (typeof made === "string") return refuse(c, parts, made, input);
  if (c.req.header("accept")?.includes("application/json") === true) {
    return c.json({ Slug: made.slug, URL: made.url, Name: made.name });
  }
  const custom = await parts.customPage?.(c, "contact_share_success.html", made);
  if (custom !== undefined) return custom;
  const facts = parts.facts();
  const scheme = parts.isSecure(c.req.raw) ? "https" : "http";
  const origin = `${scheme}://${new URL(c.req.url).host}`;
  return c.html(sharedPage(placeOf(c, facts), facts, made, origin));
}

function add(input: ShareInput, contacts: Contacts): SharedContact | ShareRefusal {
  const url = parseInvite(input.url);
  if (url === undefined) return "badLink";
  const name = input.name.replace(/[\p{Cc}\p{Cf}]+/gu, " ").trim();
  if (name.length > CONTACT_NAME_MAX_CHARS) return "badName";
  if (input.slug.trim() === "") return addMadeUp(url, name, contacts);
  const slug = parseSlug(input.slug);
  if (slug === undefined) return "badSlug";
  const fault = contacts.add({ slug, url, name });
  if (fault === undefined) return { slug, url, name };
  return fault === "full" ? "tooMany" : fault;
}

function addMadeUp(url: string, name: string, contacts: Contacts): SharedContact | ShareRefusal {
  for (let tries = 0; tries < MADE_UP_TRIES_MAX; tries++) {
    const slug = madeUp();
    if (contacts.add({ slug, url, name }) === undefined) return { slug, url, name };
  }
  return "tooMany";
}

function madeUp(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(MADE_UP_CHARS));
  return Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}

function refuse(
  c: Context,
  parts: SharingParts,
  why: ShareRefusal,
  input: ShareInput,
): Response | Promise<Response> {
  const facts = parts.facts();
  if (wantsPage(c)) return c.html(sharePage(placeOf(c, facts), facts, { why, input }), statusOf[why]);
  const text = textsOf.en.share.refusals[why];
  return c.req.header("accept")?.includes("application/json") === true
    ? c.json({ reason: text, error: text }, statusOf[why])
    : c.text(`${text}\n`, statusOf[why]);
}
