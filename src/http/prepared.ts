/**
 * Answers that are the same for everybody: rendered once, compressed once for each coding, told apart by their ETag.
 * Never for answers that hold a secret: what is compressed together can be guessed by its length (BREACH).
 */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { brotliCompress, gzip } from "node:zlib";

/** Pages × languages, and room for both answers of a reload under way. About 20 kB each. */
const KEPT_MAX = 96;
/** Below it a coding saves less than a packet. */
const COMPRESS_MIN_BYTES = 512;

export type Coding = "br" | "gzip" | "identity";
const compressors = { br: promisify(brotliCompress), gzip: promisify(gzip) };

export class Prepared {
  readonly #body: Uint8Array<ArrayBuffer>;
  /** Weak: the codings are different bytes (RFC 9110 §8.8.1). */
  readonly etag: string;
  readonly #coded = new Map<Coding, Promise<Uint8Array<ArrayBuffer>>>();

  constructor(text: string) {
    this.#body = new TextEncoder().encode(text);
    this.etag = `W/"${createHash("sha256").update(this.#body).digest("base64url").slice(0, 22)}"`;
  }

  /** @param headers content type and caching; the rest is added here */
  async answer(request: Request, headers: Record<string, string>): Promise<Response> {
    const all = { ...headers, ETag: this.etag };
    if (isKnown(request.headers.get("if-none-match"), this.etag))
      return new Response(null, { status: 304, headers: all });
    const coding =
      this.#body.length < COMPRESS_MIN_BYTES
        ? "identity"
        : chooseCoding(request.headers.get("accept-encoding"));
    const body = await this.#as(coding);
    return new Response(body, {
      headers: coding === "identity" ? all : { ...all, "Content-Encoding": coding },
    });
  }

  #as(coding: Coding): Promise<Uint8Array<ArrayBuffer>> | Uint8Array<ArrayBuffer> {
    if (coding === "identity") return this.#body;
    let coded = this.#coded.get(coding);
    if (coded === undefined) {
      coded = compressors[coding](this.#body).then((bytes) => Uint8Array.from(bytes));
      this.#coded.set(coding, coded);
    }
    return coded;
  }
}

/** Rendered pages by name, each until its facts change. */
export class PageCache {
  readonly #kept = new Map<string, { facts: string; prepared: Prepared }>();

  /**
   * @param name page and language
   * @param facts all that the page depends on, as text
   */
  get(name: string, facts: string, render: () => string): Prepared {
    const kept = this.#kept.get(name);
    if (kept?.facts === facts) return kept.prepared;
    const prepared = new Prepared(render());
    this.#kept.delete(name);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= KEPT_MAX && oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(name, { facts, prepared });
    return prepared;
  }
}

/** The best coding that the client takes (RFC 9110 §12.5.3); a weight of 0 forbids one. */
export function chooseCoding(header: string | null): Coding {
  const taken = (name: string) =>
    new RegExp(`(?:^|,)\\s*${name}\\s*(?:;\\s*q=(?!0(?:\\.0*)?\\s*(?:,|$))[\\d.]+\\s*)?(?:,|$)`, "i").test(
      header ?? "",
    );
  if (taken("br")) return "br";
  return taken("gzip") ? "gzip" : "identity";
}

/** RFC 9110 §13.1.2: weak comparison. */
function isKnown(header: string | null, etag: string): boolean {
  if (header === null) return false;
  return (
    header.trim() === "*" || header.split(",").some((one) => one.trim().replace(/^W\//, "") === etag.slice(2))
  );
}
