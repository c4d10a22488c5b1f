/**
 * The public web: site, account creation, autoconfig, mail from other relays. Hono on `fetch`, no port of its own.
 *
 * Invariants
 * - GET never creates anything (crawlers and link previews follow links).
 * - Nothing about a visitor is kept but rates by network, in RAM.
 * - A page may load nothing from elsewhere; the policy header says so.
 */
import { type Context, Hono } from "hono";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../log/events.ts";
import { addAcmeChallenge } from "./acme-challenge.ts";
import { autoconfigXml } from "./autoconfig.ts";
import { addDownload } from "./download.ts";
import type { SiteFacts } from "./facts.ts";
import { addNew, type Registration } from "./new.ts";
import { pagePolicy, securityHeaders } from "./policy.ts";
import { addSharing, type Contacts } from "./sharing.ts";
import { Site } from "./site.ts";
import { placeOf, wantsPage } from "./visit.ts";
import { addWellKnown, type WellKnown } from "./well-known.ts";
import { messagePage } from "./www/account.tsx";
import { CustomSite } from "./www/custom/site.ts";
import { splitLanguage } from "./www/languages.ts";
import type { Said, Texts } from "./www/texts.ts";

const HOUR_S = 3600;

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
  /** Whether a request came by TLS. */
  isSecure(request: Request): boolean;
  /** Mail from other relays (`/mxdeliv`). */
  federation?: (request: Request) => Promise<Response>;
  /** Accounts that one network gets. Asked at each request. */
  newRate(): { perMinute: number; burst: number };
  contacts: Contacts;
  /** Whether an account can be made by logging in; asked at each request. */
  jitEnabled(): boolean;
  /** Directory of the operator's own pages; asked at each request. */
  wwwDir(): string | undefined;
  /** This executable, for `/madmail`; undefined in a development run. */
  program: string | undefined;
  clock: Clock;
  log: Log;
}

/** The site as a Hono app; its `fetch` is what `Bun.serve` wants. */
export function createApp(parts: AppParts): Hono {
  const app = new Hono({ getPath: (request) => splitLanguage(new URL(request.url).pathname).path });
  const { federation } = parts;

  app.use(async (c, next) => {
    await next();
    const { headers } = c.res;
    for (const [name, value] of Object.entries(securityHeaders)) headers.set(name, value);
    if (!headers.has("Content-Security-Policy")) headers.set("Content-Security-Policy", pagePolicy);
  });

  // Relays ask with and without the slash.
  if (federation !== undefined) {
    for (const path of ["/mxdeliv", "/mxdeliv/"]) app.all(path, (c) => federation(c.req.raw));
  }
  const shown = { facts: () => parts.facts(), status: () => parts.registration.status() };
  const site = new Site(shown);
  const custom = new CustomSite({
    ...shown,
    jitEnabled: () => parts.jitEnabled(),
    dir: () => parts.wwwDir(),
    onMistake: (text) => parts.log.emit({ kind: "notice", text }),
  });
  addNew(app, parts, (c, token) => site.home(c, token));
  for (const path of ["/.well-known/autoconfig/mail/config-v1.1.xml", "/mail/config-v1.1.xml"]) {
    app.get(path, (c) =>
      c.body(autoconfigXml(parts.facts()), 200, {
        "Content-Type": "application/xml; charset=utf-8",
        "Cache-Control": `public, max-age=${HOUR_S}`,
      }),
    );
  }
  addWellKnown(app, parts.wellKnown);
  if (parts.acmeProof !== undefined) addAcmeChallenge(app, parts.acmeProof);
  addDownload(app, parts);
  custom.addTo(app);
  site.addTo(app);
  addSharing(app, { ...parts, customPage: (c, file, contact) => custom.page(c, file, contact) });

  for (const path of onlyGet(app)) {
    app.all(path, (c) => {
      c.header("Allow", "GET, HEAD");
      return say(c, parts, 405, (texts) => texts.method);
    });
  }
  app.notFound((c) => say(c, parts, 404, (texts) => texts.notFound));
  app.onError((error, c) => {
    parts.log.emit({ kind: "internalFault", where: "http", error });
    return say(c, parts, 500, (texts) => texts.fault);
  });
  return app;
}

/** Paths that take nothing but GET and HEAD. Those with a wildcard are not there until somebody looks. */
function onlyGet(app: Hono): string[] {
  const methods = Map.groupBy(app.routes, ({ path }) => path);
  return [...methods]
    .filter(([path, routes]) => !/^(\/?\*|\/:)/.test(path) && routes.every(({ method }) => method === "GET"))
    .map(([path]) => path);
}

function say(
  c: Context,
  parts: AppParts,
  status: 404 | 405 | 500,
  pick: (texts: Texts) => Said,
): Response | Promise<Response> {
  const facts = parts.facts();
  const place = placeOf(c, facts);
  const said = pick(place.texts);
  if (!wantsPage(c)) return c.text(`${said.title}. ${said.lead}\n`, status);
  return c.html(messagePage(place, facts, said), status);
}
