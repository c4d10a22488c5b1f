/**
 * The pages of the public site: rendered when something changed, otherwise served from memory, compressed.
 * Anything with a token in it is rendered for its visitor alone and kept nowhere.
 */
import type { Context, Hono } from "hono";
import type { RegistrationStatus, SiteFacts } from "./facts.ts";
import { dcaccountLink } from "./links.ts";
import { tokenOf } from "./new.ts";
import { PageCache, Prepared } from "./prepared.ts";
import { qrSvg } from "./qr.ts";
import { placeOf } from "./visit.ts";
import { favicon, script, scriptPath } from "./www/assets.ts";
import type { PageText, Place } from "./www/frame.tsx";
import { homePage, type Offer } from "./www/home.tsx";
import { deployPage, docsPage, infoPage, type PageProps, privacyPage, securityPage } from "./www/pages.tsx";

const DAY_S = 86_400;

export interface SiteParts {
  facts(): SiteFacts;
  status(): RegistrationStatus;
}

const pages: Readonly<Record<string, (props: PageProps) => PageText>> = {
  "/info": infoPage,
  "/privacy": privacyPage,
  "/security": securityPage,
  "/docs": docsPage,
  "/deploy": deployPage,
};
/** Where the predecessors had their pages: old links keep working. */
const formerPaths: Readonly<Record<string, string>> = {
  "/index.html": "/",
  "/info.html": "/info",
  "/security.html": "/security",
  "/deploy.html": "/deploy",
  "/docs/": "/docs",
};

export class Site {
  readonly #parts: SiteParts;
  readonly #cache = new PageCache();

  constructor(parts: SiteParts) {
    this.#parts = parts;
  }

  addTo(app: Hono): void {
    app.get("/", (c) => this.home(c, tokenOf(c.req.query("token"))));
    app.get("/inv/:token", (c) => this.home(c, tokenOf(c.req.param("token"))));
    for (const [path, render] of Object.entries(pages)) {
      app.get(path, (c) => this.#page(c, render));
    }
    for (const [from, to] of Object.entries(formerPaths)) app.get(from, (c) => c.redirect(to, 301));
    addAsset(app, "/favicon.svg", favicon, "image/svg+xml", `public, max-age=${DAY_S}`);
    const forEver = `public, max-age=${365 * DAY_S}, immutable`;
    addAsset(app, scriptPath, script, "text/javascript; charset=utf-8", forEver);
    const robots = "User-agent: *\nDisallow: /new\nDisallow: /inv/\nDisallow: /madmail\n";
    addAsset(app, "/robots.txt", robots, "text/plain; charset=utf-8", `public, max-age=${DAY_S}`);
  }

  /** The start page. @param token an invitation */
  async home(c: Context, token?: string): Promise<Response> {
    const facts = this.#parts.facts();
    const place = placeOf(c, facts);
    const status = this.#parts.status();
    const render = () => renderHome(place, facts, offerOf(place, facts, status, token));
    if (token === undefined) return this.#shared(c, place, facts, status, render);
    c.header("Cache-Control", "no-store");
    return c.html(render());
  }

  async #page(c: Context, render: (props: PageProps) => PageText): Promise<Response> {
    const facts = this.#parts.facts();
    const place = placeOf(c, facts);
    const status = this.#parts.status();
    return this.#shared(c, place, facts, status, () => textOf(render({ place, facts, status })));
  }

  #shared(
    c: Context,
    place: Place,
    facts: SiteFacts,
    status: RegistrationStatus,
    render: () => string,
  ): Promise<Response> {
    // `/new` shows the start page where clients can't follow a link.
    const name = `${place.prefix} ${place.texts.language} ${place.path}`;
    const prepared = this.#cache.get(name, `${status} ${JSON.stringify(facts)}`, render);
    return prepared.answer(c.req.raw, {
      "Content-Type": "text/html; charset=UTF-8",
      "Cache-Control": "no-cache",
      Vary: "Accept-Language, Accept-Encoding",
    });
  }
}

/** Our pages wait for nothing, though a page could. */
function textOf(page: PageText): string {
  if (page instanceof Promise) throw new Error("a page that waits can't be kept");
  return page.toString();
}

function renderHome(place: Place, facts: SiteFacts, offer: Offer): string {
  const { proxyLink } = facts;
  const proxyQr = proxyLink === undefined ? undefined : qrSvg(proxyLink, place.texts.proxy.qrLabel);
  return textOf(homePage({ place, facts, offer, proxyQr }));
}

function offerOf(
  { texts }: Place,
  facts: SiteFacts,
  status: RegistrationStatus,
  token: string | undefined,
): Offer {
  if (token === undefined && status === "closed") return { kind: "closed" };
  if (token === undefined && status === "tokenRequired") {
    return { kind: "token", action: facts.trusted ? "/" : "/new" };
  }
  if (!facts.trusted) return { kind: "form", token };
  const href = dcaccountLink(facts.host, facts.ports.https, token);
  return { kind: "link", href, qrSvg: qrSvg(href, texts.home.qrLabel), invited: token !== undefined };
}

function addAsset(app: Hono, path: string, text: string, type: string, caching: string): void {
  const prepared = new Prepared(text);
  const headers = { "Content-Type": type, "Cache-Control": caching, Vary: "Accept-Encoding" };
  app.get(path, (c) => prepared.answer(c.req.raw, headers));
}
