/**
 * The admin panel: files that were built into the program, under a path that the operator may move. It is a page like
 * any other; what it may see and do, the admin API decides.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { embeddedDirectory } from "../config/embedded.ts";
import { version } from "../core/version.ts";

const YEAR_S = 31_536_000;

const manifestFile = z.object({
  entry: z.object({ script: z.string(), style: z.string() }),
  files: z.record(z.string(), z.object({ bytes: z.number() })),
});
type Manifest = z.output<typeof manifestFile>;

const types: Record<string, string> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  woff2: "font/woff2",
};

export interface PanelParts {
  /** Where the panel is, such as `/admin`; undefined while it is off. Asked each time. */
  path(): string | undefined;
  /** Where the admin API is. */
  apiPath(): string;
  /** Language of a visitor who has not chosen one. */
  language(): string;
  /** What `release/panel.ts` wrote; the embedded one unless a test says otherwise. */
  directory?: string;
}

export class Panel {
  readonly #parts: PanelParts;
  readonly #directory: string;
  #manifest: Manifest | undefined;

  constructor(parts: PanelParts) {
    this.#parts = parts;
    this.#directory = parts.directory ?? embeddedDirectory("dist/panel");
  }

  /** @returns undefined for paths that are not the panel's */
  answer(request: Request): Response | undefined {
    const base = this.#parts.path();
    if (base === undefined) return undefined;
    const { pathname } = new URL(request.url);
    if (pathname !== base && !pathname.startsWith(`${base}/`)) return undefined;
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("method not allowed\n", { status: 405, headers: { Allow: "GET, HEAD" } });
    }
    if (pathname === base) return new Response(null, { status: 308, headers: { Location: `${base}/` } });
    const manifest = this.#load();
    if (manifest === undefined) return new Response("this build has no panel\n", { status: 503 });
    const name = pathname.slice(base.length + 1);
    return Object.hasOwn(manifest.files, name) ? this.#file(request, name) : this.#page(manifest, base);
  }

  #load(): Manifest | undefined {
    const file = join(this.#directory, "manifest.json");
    if (this.#manifest === undefined && existsSync(file)) {
      this.#manifest = manifestFile.parse(JSON.parse(readFileSync(file, "utf8")));
    }
    return this.#manifest;
  }

  /** Names carry a hash of what is in them, so they never change. */
  #file(request: Request, name: string): Response {
    const zipped = readFileSync(join(this.#directory, `${name}.gz`));
    const takesGzip = (request.headers.get("accept-encoding") ?? "").includes("gzip");
    return new Response(takesGzip ? zipped : gunzipSync(zipped), {
      headers: {
        "Content-Type": types[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream",
        ...(takesGzip ? { "Content-Encoding": "gzip" } : {}),
        Vary: "Accept-Encoding",
        "Cache-Control": `public, max-age=${YEAR_S}, immutable`,
        "X-Content-Type-Options": "nosniff",
      },
    });
  }

  /** Every other path is one of the panel's own routes: the script finds out which. */
  #page({ entry }: Manifest, base: string): Response {
    const facts = JSON.stringify({
      base,
      api: this.#parts.apiPath(),
      language: this.#parts.language(),
      version,
    }).replaceAll("<", "\\u003c");
    const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><meta name="color-scheme" content="light dark"><title>madmail</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml"><link rel="stylesheet" href="${base}/${entry.style}">
<script type="application/json" id="facts">${facts}</script>
<script type="module" src="${base}/${entry.script}"></script></head>
<body><div id="panel"></div><noscript>The admin panel needs JavaScript; the command line does not: madmail --help</noscript></body></html>
`;
    const factsHash = createHash("sha256").update(facts).digest("base64");
    return new Response(html, {
      headers: {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-cache",
        "Content-Security-Policy":
          `default-src 'none'; script-src 'self' 'sha256-${factsHash}'; style-src 'self'; img-src 'self' data: blob:; ` +
          "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
      },
    });
  }
}
