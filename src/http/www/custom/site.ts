/** Serves an operator's own pages before the built-in ones; hands out `/qr` for pages that came from a predecessor. */
import type { Context, Hono, Next } from "hono";
import type { RegistrationStatus, SiteFacts } from "../../facts.ts";
import { customPolicy } from "../../policy.ts";
import { qrSvg } from "../../qr.ts";
import { placeOf } from "../../visit.ts";
import { CustomDirectory, type CustomFile } from "./directory.ts";
import { pageVariables } from "./variables.ts";

const QR_MAX_CHARS = 1500;

export interface CustomParts {
  facts(): SiteFacts;
  status(): RegistrationStatus;
  jitEnabled(): boolean;
  /** Asked at each request; undefined while only the built-in pages are served. */
  dir(): string | undefined;
  /** A mistake in a page, with file and line. */
  onMistake(text: string): void;
}

export class CustomSite {
  readonly #parts: CustomParts;
  #directory: CustomDirectory | undefined;

  constructor(parts: CustomParts) {
    this.#parts = parts;
  }

  addTo(app: Hono): void {
    app.get("/qr", (c, next) => (this.#current() === undefined ? next() : this.#qr(c)));
    app.get("*", (c, next) => this.#serve(c, next));
  }

  /** A page by the name of its file. @returns undefined where the built-in one is to be served */
  async page(
    c: Context,
    file: string,
    contact?: { slug: string; url: string; name: string },
  ): Promise<Response | undefined> {
    const found = await this.#find(c, `/${file}`, contact);
    return found === undefined ? undefined : answer(c, found);
  }

  async #serve(c: Context, next: Next): Promise<Response | void> {
    const found = await this.#find(c, c.req.path);
    if (found === undefined) return next();
    return answer(c, found);
  }

  async #find(
    c: Context,
    path: string,
    contact?: { slug: string; url: string; name: string },
  ): Promise<CustomFile | undefined> {
    const directory = this.#current();
    if (directory === undefined) return undefined;
    return await directory.find(path, () => {
      const facts = this.#parts.facts();
      const { language } = placeOf(c, facts).texts;
      const status = this.#parts.status();
      const jitEnabled = this.#parts.jitEnabled();
      return pageVariables({ facts, status, jitEnabled, language, contact });
    });
  }

  #current(): CustomDirectory | undefined {
    const dir = this.#parts.dir();
    if (dir === undefined) this.#directory = undefined;
    else if (this.#directory?.dir !== dir) {
      this.#directory = new CustomDirectory(dir, (text) => this.#parts.onMistake(text));
    }
    return this.#directory;
  }

  #qr(c: Context): Response {
    const data = c.req.query("data") ?? "";
    if (data === "") return c.text("Missing 'data' parameter\n", 400);
    if (data.length > QR_MAX_CHARS) return c.text("Too much for a QR code\n", 400);
    return c.body(qrSvg(data, "QR code"), 200, {
      "Content-Type": "image/svg+xml",
      "Cache-Control": "no-cache, no-store",
    });
  }
}

function answer(c: Context, { type, body }: CustomFile): Response {
  return c.body(body, 200, {
    "Content-Type": type,
    "Cache-Control": "no-cache, must-revalidate",
    "Content-Security-Policy": customPolicy,
  });
}
