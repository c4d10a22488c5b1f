/** Logins of pages, for WebIMAP, WebSMTP and WebSocket: existing accounts only, as often as an address may try. */
import type { Authenticator } from "../../auth/authenticator.ts";
import type { Address } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../log/events.ts";
import { networkOf } from "../../net/connection-limits.ts";
import { RateLimiter } from "../../policy/rate.ts";
import { WebmailError } from "./fault.ts";

/** Requests and WebSocket commands from one IP address (of IPv6: one /64). */
const REQUEST_RATE = { perMinute: 1200, burst: 300 };
/** A header field of HTTP has one byte per character; people write UTF-8 into it. */
const LATIN1_ONLY = /^[\u0000-\u00ff]*$/;

export interface Credentials {
  email: string;
  password: string;
}

export interface EntranceParts {
  auth: Authenticator;
  clock: Clock;
  log: Log;
}

export class Entrance {
  readonly #parts: EntranceParts;
  readonly #rate: RateLimiter;

  constructor(parts: EntranceParts) {
    this.#parts = parts;
    this.#rate = new RateLimiter(REQUEST_RATE, parts.clock);
  }

  /** Counts a request. @throws {WebmailError} when there are too many */
  count(peerAddress: string): void {
    if (!this.#rate.take(networkOf(peerAddress)))
      throw new WebmailError(429, "too many requests, try again later");
  }

  /** @throws {WebmailError} 401 for any reason that lies with name or password: they look alike; 429 for now */
  async login({ email, password }: Credentials, peerAddress: string): Promise<Address> {
    const { auth, log } = this.#parts;
    const attempt = { username: email, password, peerAddress, existingOnly: true };
    const result = await auth.login(attempt);
    if (result.ok) return result.user;
    log.emit({ kind: "loginFailed", proto: "http", why: result.why });
    throw result.why === "badCredentials"
      ? new WebmailError(401, "invalid credentials")
      : new WebmailError(429, "try again later");
  }
}

/** `X-Email` and `X-Password`. @throws {WebmailError} 401 when one is missing */
export function headerCredentials({ headers }: Request): Credentials {
  return { email: required(headers, "X-Email"), password: required(headers, "X-Password") };
}

/** Of the URL of a WebSocket, which takes no header fields from pages. @returns undefined when it has none */
export function queryCredentials({ searchParams }: URL): Credentials | undefined {
  const email = searchParams.get("email");
  const password = searchParams.get("password");
  return email === null || password === null ? undefined : { email, password };
}

function required(headers: Headers, name: string): string {
  const value = headers.get(name);
  if (value === null || value === "") throw new WebmailError(401, `missing ${name} header`);
  return LATIN1_ONLY.test(value) ? Buffer.from(value, "latin1").toString("utf8") : value;
}
