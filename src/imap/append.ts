/** What APPEND needs of the gate: the message's bytes go in, a verdict and a stored message come out. */
import type { Verdict } from "../core/verdict.ts";
import type { SealedMessage } from "../storage/store.ts";

/** One message on its way in. As `Intake` of delivery, but the message goes into the mailbox that the client named. */
export interface AppendIntake {
  /** Takes message bytes, borrowed. Never throws: trouble shows in `finish`. */
  write(chunk: Uint8Array): void;
  /** Judges. The message is there exactly if the verdict is `accept`; the caller discards it. Never rejects. */
  finish(): Promise<{ verdict: Verdict; message?: SealedMessage }>;
  /** The client went away: forget the message. */
  abort(): void;
}
