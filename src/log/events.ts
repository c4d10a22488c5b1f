/**
 * Everything this relay may say while it runs: a closed union. Always counted, printed only if the operator asked.
 * No address, IP, subject, token or body at any level. `connection` is a number that means nothing outside.
 */
import type { Refusal } from "../core/verdict.ts";

export type Proto = "smtp" | "imap" | "http" | "turn" | "shadowsocks";

export type Event =
  | { kind: "connectionOpened"; proto: Proto; connection: number; secure: boolean }
  | { kind: "connectionClosed"; proto: Proto; connection: number }
  | { kind: "connectionRefused"; proto: Proto; why: "tooMany" | "tooManyFromPeer" }
  | { kind: "tlsFailed"; connection: number }
  | { kind: "loginSucceeded"; proto: Proto }
  | { kind: "loginFailed"; proto: Proto; why: string }
  | { kind: "accountCreated" }
  /** An operator's action, by its name in src/operations. */
  | { kind: "operation"; name: string; face: string; done: boolean }
  | { kind: "messageAccepted"; via: string; bytes: number; recipients: number }
  | { kind: "messageRefused"; via: string; why: Refusal }
  /** MAIL or RCPT. `mode`: the kind of port. */
  | { kind: "commandRefused"; mode: string; command: string; why: Refusal }
  | { kind: "messageDropped"; via: string; why: Refusal }
  | { kind: "messageSent"; route: string; recipients: number }
  | { kind: "messageDeferred"; why: "unreachable" | "refusedForNow" }
  | { kind: "messageBounced" }
  | { kind: "protocolError"; proto: Proto; connection: number; what: string }
  | { kind: "tunnelOpened" }
  | { kind: "tunnelRefused"; why: TunnelRefusal }
  | { kind: "pushSent" }
  | { kind: "pushFailed"; why: "refused" | "unreachable" | "timeout" }
  | { kind: "pushDropped"; why: "tokenGone" | "tokenForgotten" | "tooOften" | "tooOld" | "queueFull" }
  | { kind: "pushPaused" }
  | { kind: "certificateObtained"; hours: number }
  | { kind: "certificateFailed"; why: string; what: string; retryMinutes: number }
  | { kind: "certificateExpiring"; hoursLeft: number }
  /** `why`: how it ended. */
  | { kind: "taskEnded"; task: string; why: "done" | "cancelled" | "failed" }
  | { kind: "storageTrouble"; what: string }
  | { kind: "internalFault"; where: string; error: unknown }
  | { kind: "notice"; text: string };

/** Why a Shadowsocks stream led nowhere. */
export type TunnelRefusal =
  | "notAuthentic"
  | "replayed"
  | "clockSkew"
  | "malformed"
  | "portNotAllowed"
  | "incomplete"
  | "tooFast";

export interface Log {
  emit(event: Event): void;
  /** Times each kind was seen, with `why` where the event has one: `messageRefused.encryptionNeeded`. */
  counts(): ReadonlyMap<string, number>;
}
