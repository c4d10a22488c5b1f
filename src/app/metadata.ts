/** What clients may read and write by METADATA (RFC 5464): facts about this relay, and their own device tokens. */
import type { Config } from "../config/config.ts";
import type { Address } from "../core/address.ts";
import type { DeviceTokens } from "../db/device-tokens.ts";

const DEVICE_TOKEN = "/private/devicetoken";

export interface Metadata {
  entries(mailbox: string): readonly string[];
  get(user: Address, mailbox: string, entry: string): string | undefined;
  set(user: Address, mailbox: string, entry: string, value: string | undefined): boolean;
}

export function relayMetadata(config: () => Config, tokens: DeviceTokens): Metadata {
  const shared: Record<string, () => string | undefined> = {
    "/shared/comment": () => config().metadata.comment,
    "/shared/admin": () => config().metadata.admin,
    // Without it clients cut group messages into pieces of 50 recipients.
    "/shared/vendor/deltachat/maxsmtprecipients": () => String(config().limits.recipients),
  };
  return {
    entries(mailbox) {
      if (mailbox === "") return Object.keys(shared);
      return mailbox === "INBOX" ? [DEVICE_TOKEN] : [];
    },
    get(user, mailbox, entry) {
      if (mailbox === "") return shared[entry]?.();
      if (mailbox === "INBOX" && entry === DEVICE_TOKEN) return tokens.of(user).join(" ") || undefined;
      return undefined;
    },
    set(user, mailbox, entry, value) {
      if (mailbox !== "INBOX" || entry !== DEVICE_TOKEN) return false;
      // Each device adds its own; NIL says nothing about the others.
      return value === undefined || tokens.add(user, value);
    },
  };
}
