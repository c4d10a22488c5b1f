/** Where mail for a domain goes instead of what the DNS says ("endpoint cache"), in RAM; written through. */
import type { Domain } from "../core/address.ts";
import { hostOf, parseDomain } from "../core/address.ts";
import { lowerAscii } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import type { OverrideRow, OverrideRows } from "../db/endpoint-overrides.ts";

const TARGET_MAX_CHARS = 2048;
const COMMENT_MAX_CHARS = 1024;
const HOST = /^[a-z0-9_.-]{1,255}(:\d{1,5})?$|^\[[0-9a-f:.]{2,45}\](:\d{1,5})?$/i;

export class EndpointOverrides {
  readonly #rows: OverrideRows;
  readonly #clock: Clock;
  readonly #overrides = new Map<string, OverrideRow>();

  constructor(rows: OverrideRows, clock: Clock) {
    this.#rows = rows;
    this.#clock = clock;
  }

  hydrate(): void {
    this.#overrides.clear();
    this.#rows.forEach((key, row) => this.#overrides.set(lowerAscii(key), row));
  }

  /** Host name, host with port, or URL. Looked for as the domain stands, then without, then with brackets. */
  lookup(domain: Domain): string | undefined {
    if (this.#overrides.size === 0) return undefined;
    const bare = hostOf(domain);
    return [domain, bare, `[${bare}]`].flatMap((key) => this.#overrides.get(key)?.target ?? [])[0];
  }

  /** @param lookupKey as it was set */
  get(lookupKey: string): Readonly<OverrideRow> | undefined {
    return this.#overrides.get(lowerAscii(lookupKey.trim()));
  }

  entries(): IterableIterator<[string, Readonly<OverrideRow>]> {
    return this.#overrides.entries();
  }

  /**
   * @param target a host name, `host:port`, or an http(s) URL
   * @throws {RangeError} with a text for the operator
   */
  set(lookupKey: string, target: string, comment = ""): void {
    const key = requireLookupKey(lookupKey);
    const nowSec = Math.floor(this.#clock.nowMs() / 1000);
    const row: OverrideRow = {
      target: requireTarget(target.trim()),
      comment: comment.slice(0, COMMENT_MAX_CHARS),
      createdAtSec: this.#overrides.get(key)?.createdAtSec ?? nowSec,
      updatedAtSec: nowSec,
    };
    this.#rows.put(key, row);
    this.#overrides.set(key, row);
  }

  /** @returns whether it was there */
  remove(lookupKey: string): boolean {
    const key = lowerAscii(lookupKey.trim());
    this.#rows.remove(key);
    return this.#overrides.delete(key);
  }
}

function requireLookupKey(text: string): string {
  const key = lowerAscii(text.trim());
  if (parseDomain(key) === undefined) {
    throw new RangeError(`expected a domain name or an IP address, found ${text}`);
  }
  return key;
}

function requireTarget(target: string): string {
  const url = target.includes("://") ? URL.parse(target) : undefined;
  const isUrl = url != null && /^https?:$/.test(url.protocol) && url.username === "";
  if (target.length <= TARGET_MAX_CHARS && (isUrl || HOST.test(target))) return target;
  throw new RangeError(`expected a host name, or a URL with http or https, found ${target}`);
}
