/**
 * Who may use the admin API: the operator's token, or a session that was opened with it. Sessions are short, live in RAM
 * and are known by their digest, so that looking one up tells nothing about others. A login code opens one session, once.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import type { Scope } from "../../operations/operation.ts";

export interface OpenedSession {
  token: string;
  /** Seconds since 1970. */
  expiresAtSec: number;
  scope: Scope;
}

export interface AdminSessionsParts {
  /** The operator's token; undefined turns everything off. Asked each time, because it may be replaced. */
  operatorToken: () => string | undefined;
  clock: Clock;
  /** @returns so many random bytes */
  random?: (bytes: number) => Uint8Array;
}

const SESSION_MAX_MINUTES = 24 * 60;
const SESSION_DEFAULT_MINUTES = 60;
const CODE_MINUTES = 15;
/** Beyond it the oldest goes. */
const SESSIONS_MAX = 1000;
const CODES_MAX = 100;
const TOKEN_BYTES = 32;
const MINUTE_MS = 60_000;

interface Session {
  scope: Scope;
  endsMs: number;
}

export class AdminSessions {
  readonly #operatorToken: () => string | undefined;
  readonly #clock: Clock;
  readonly #random: (bytes: number) => Uint8Array;
  /** By digest of the token. */
  readonly #sessions = new Map<string, Session>();
  /** End of each login code, by digest. */
  readonly #codes = new Map<string, number>();

  constructor({ operatorToken, clock, random }: AdminSessionsParts) {
    this.#operatorToken = operatorToken;
    this.#clock = clock;
    this.#random = random ?? ((bytes) => crypto.getRandomValues(new Uint8Array(bytes)));
  }

  /** @returns undefined for a bearer who may nothing */
  scopeOf(bearer: string): Scope | undefined {
    const operator = this.#operatorToken();
    if (operator === undefined || bearer === "") return undefined;
    if (timingSafeEqual(sha256(bearer), sha256(operator))) return "full";
    const session = this.#sessions.get(digest(bearer));
    return session !== undefined && session.endsMs > this.#clock.nowMs() ? session.scope : undefined;
  }

  /** @param minutes 1 to a day; an hour when absent */
  open(scope: Scope, minutes = SESSION_DEFAULT_MINUTES): OpenedSession {
    const nowMs = this.#clock.nowMs();
    for (const [key, { endsMs }] of this.#sessions) if (endsMs <= nowMs) this.#sessions.delete(key);
    trim(this.#sessions, SESSIONS_MAX - 1);
    const token = this.#newSecret();
    const endsMs = nowMs + Math.min(Math.max(1, minutes), SESSION_MAX_MINUTES) * MINUTE_MS;
    this.#sessions.set(digest(token), { scope, endsMs });
    return { token, expiresAtSec: Math.floor(endsMs / 1000), scope };
  }

  /** Ends one session. @returns whether there was one */
  close(token: string): boolean {
    return this.#sessions.delete(digest(token));
  }

  /** Ends all sessions and takes back all codes, as when the operator's token is replaced. */
  closeAll(): void {
    this.#sessions.clear();
    this.#codes.clear();
  }

  /** A code for a link: good for one login within a quarter of an hour. */
  newCode(): string {
    const nowMs = this.#clock.nowMs();
    for (const [key, endsMs] of this.#codes) if (endsMs <= nowMs) this.#codes.delete(key);
    trim(this.#codes, CODES_MAX - 1);
    const code = this.#newSecret();
    this.#codes.set(digest(code), nowMs + CODE_MINUTES * MINUTE_MS);
    return code;
  }

  /** @returns a session with all rights, or undefined for a code that is unknown, used or too old */
  redeem(code: string): OpenedSession | undefined {
    const key = digest(code);
    const endsMs = this.#codes.get(key);
    this.#codes.delete(key);
    if (endsMs === undefined || endsMs <= this.#clock.nowMs()) return undefined;
    return this.#operatorToken() === undefined ? undefined : this.open("full");
  }

  #newSecret(): string {
    return Buffer.from(this.#random(TOKEN_BYTES)).toString("base64url");
  }
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function digest(text: string): string {
  return sha256(text).toString("base64");
}

/** Takes the oldest out until at most `size` are left. */
function trim(map: Map<string, unknown>, size: number): void {
  for (const key of map.keys()) {
    if (map.size <= size) return;
    map.delete(key);
  }
}
