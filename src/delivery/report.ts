/**
 * Brings delivery reports into the mailboxes of our own users. Nobody else ever gets one: an envelope sender from
 * outside is a claim, and reporting to it would be a way to make this relay write to strangers.
 */
import { type Address, domainOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { MailStore, SealedMessage } from "../storage/store.ts";
import { composeBounce, type FailedRecipient } from "./bounce.ts";

/**
 * Hears of each message that is durable in mailboxes, before its 250: must be quick, and must not throw.
 * @param sender the login on submission, the envelope sender elsewhere; null for reports
 */
export type DeliveryListener = (users: readonly Address[], sender: Address | null) => void;

export interface ReporterParts {
  store: Pick<MailStore, "spool" | "deliver">;
  clock: Clock;
  onDelivered?: DeliveryListener | undefined;
}

export class Reporter {
  readonly #parts: ReporterParts;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
  }

  /**
   * @param to a user of ours
   * @throws {StorageError} when the report can't be stored
   */
  async report(to: Address, originalHeader: Uint8Array, failures: readonly FailedRecipient[]): Promise<void> {
    const { store, clock, onDelivered } = this.#parts;
    const { header, body } = composeBounce({
      domain: domainOf(to),
      to,
      failures,
      originalHeader,
      nowMs: clock.nowMs(),
      id: crypto.randomUUID(),
    });
    const spool = store.spool({ maxBytes: header.length + body.length });
    let message: SealedMessage | undefined;
    try {
      spool.write(header);
      spool.write(body);
      message = spool.seal(header);
      await store.deliver(message, [{ user: to, mailbox: "INBOX" }]);
      onDelivered?.([to], null);
    } finally {
      message?.discard();
      spool.discard();
    }
  }
}
