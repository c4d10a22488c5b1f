/**
 * Time-limited TURN credentials as the Delta Chat core and coturn know them: the user name is the second at which they
 * run out, the password is an HMAC of it, so that nothing is stored per user (draft-uberti-behave-turn-rest-00 §2.2).
 */
import { createHmac, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import type { Clock } from "../core/clock.ts";
import type { UserBook } from "./engine/actions.ts";

const SECRET_BYTES = 32;
/** `expiry` or `expiry:anything`, as test programs have it. */
const USERNAME = /^(\d{1,12})(?::.*)?$/s;
/** Secrets that were in force since the start, so that credentials outlive a new one. */
const SECRETS_MAX = 3;

export interface TurnCredentials {
  /** Unix seconds in decimal; what the core takes for the time of expiry too. */
  readonly username: string;
  readonly password: string;
}

export class CredentialBook implements UserBook {
  readonly #clock: Clock;
  /** The current one first. */
  #secrets: readonly string[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Signs with `secret` from now on; earlier ones stay valid until the process ends. */
  use(secret: string): void {
    this.#secrets = [secret, ...this.#secrets.filter((other) => other !== secret)].slice(0, SECRETS_MAX);
  }

  /** @param lifetimeMs how long they may begin something new @throws {Error} before `use` */
  issue(lifetimeMs: number): TurnCredentials {
    const [secret] = this.#secrets;
    if (secret === undefined) throw new Error("no secret yet");
    const username = String(Math.floor((this.#clock.nowMs() + lifetimeMs) / 1000));
    return { username, password: passwordOf(secret, username) };
  }

  passwordsOf(username: string, graceSeconds: number): readonly string[] {
    const expiry = USERNAME.exec(username)?.[1];
    if (expiry === undefined || Number(expiry) + graceSeconds <= this.#clock.nowMs() / 1000) return [];
    return this.#secrets.map((secret) => passwordOf(secret, username));
  }
}

/** @returns standard base64, padded */
function passwordOf(secret: string, username: string): string {
  return createHmac("sha1", secret).update(username).digest("base64");
}

/**
 * The secret of this installation, made at its first start.
 * @throws {Error} of the file system
 */
export function loadSecret(path: string): string {
  try {
    const kept = readFileSync(path, "utf8").trim();
    if (kept !== "") return kept;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  writeFileSync(path, `${secret}\n`, { mode: 0o600, flush: true });
  return secret;
}
