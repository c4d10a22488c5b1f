/** What the SMTP engine wants done, and what it must be told beforehand. The host (smtp/server.ts) does it. */
import type { Address } from "../../core/address.ts";
import type { Refusal } from "../../core/verdict.ts";

/** `smtp`: port 25, from other servers. `submission`: 587, STARTTLS then login. `submissions`: 465, TLS from the start. */
export type SmtpMode = "smtp" | "submission" | "submissions";

export type CloseReason =
  | "quit"
  | "shutdown"
  | "timeout"
  | "bareLineEnd"
  | "nulByte"
  | "endlessLine"
  | "endlessBody"
  | "wrongProtocol"
  | "tooManyErrors"
  | "tooManyLogins"
  | "badChunk";

/**
 * In the order to do them. An `ask…` or `endBody` is the last of its batch: the engine is parked until `answer` or
 * `answerLogin` is called with its id.
 */
export type Effect =
  /** One or more whole reply lines, CRLF included; ASCII. */
  | { do: "send"; text: string }
  | { do: "askLogin"; id: number; username: string; password: string }
  | { do: "askSender"; id: number; sender: Address | null }
  | { do: "askRecipient"; id: number; sender: Address | null; recipient: Address }
  | { do: "openBody"; sender: Address | null; recipients: readonly Address[] }
  /** `bytes` is borrowed from the input. */
  | { do: "body"; bytes: Uint8Array }
  | { do: "endBody"; id: number }
  | { do: "abortBody" }
  /** Sends `reply` in clear and starts the handshake; `secured` is called when it is done. */
  | { do: "startTls"; reply: string }
  /** The engine refused or dropped something by itself: for the counters. */
  | { do: "count"; as: "refused" | "dropped"; why: Refusal }
  /** After this the engine takes no more input. */
  | { do: "close"; why: CloseReason };

export interface SmtpEngineOptions {
  readonly mode: SmtpMode;
  /** As greeted with; an IPv4 host in brackets. */
  readonly hostname: string;
  /** True when the connection is inside TLS already. */
  readonly secure: boolean;
  /** True when STARTTLS can be offered. */
  readonly tlsAvailable: boolean;
  /** Port 25: no mail in clear, as peers among chatmail relays have it; only where STARTTLS can be offered. */
  readonly tlsRequired: boolean;
  /** Live limits: the mail door. */
  readonly limits: { readonly messageMaxBytes: number; readonly recipientsMax: number };
}
