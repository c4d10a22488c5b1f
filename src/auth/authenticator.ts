/** What protocol hosts need of auth: one question, one answer. */
import type { Address } from "../core/address.ts";

export type LoginFailure =
  /** Wrong password, unknown and not creatable, blocked, bad name: all look alike from outside. */
  | "badCredentials"
  /** Could not be decided now. Peer texts must not contain "authentication" (clients count that as a wrong password). */
  | "unavailable";

export type LoginResult = { ok: true; user: Address } | { ok: false; why: LoginFailure };

export interface LoginAttempt {
  username: string;
  password: string;
  /** Socket address of the peer, for throttling only. */
  peerAddress: string;
  /** Makes no account; an unknown name then looks like a wrong password. */
  existingOnly?: boolean;
}

export interface Authenticator {
  /** Checks the credentials; creates the account at first login where policy and attempt allow. Never rejects. */
  login(attempt: LoginAttempt): Promise<LoginResult>;
}
