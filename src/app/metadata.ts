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

/** What the side services tell; undefined hides the entry. */
export interface ServiceFacts {
  /** Where apps in chats meet. */
  irohUrl(): string | undefined;
  /** How clients reach TURN, credentials included. */
  turn(): string | undefined;
  /** Whether tokens are of use now; if not, nothing may tell a client that it can rely on being woken. */
  pushes(): boolean;
}

export function relayMetadata(config: () => Config, tokens: DeviceTokens, facts: ServiceFacts): Metadata {
  const shared: Record<string, () => string | undefined> = {
    "/shared/comment": () => config().metadata.comment,
    "/shared/admin": () => config().metadata.admin,
    // Without it clients use iroh's public relays.
    "/shared/vendor/deltachat/irohrelay": () => facts.irohUrl(),
    // Without it clients cut group messages into pieces of 50 recipients; but they also take it for a promise to push.
    "/shared/vendor/deltachat/maxsmtprecipients": () =>
      facts.pushes() ? String(config().limits.recipients) : undefined,
    "/shared/vendor/deltachat/turn": () => facts.turn(),
  };
  return {
    entries(mailbox) {
      if (mailbox === "") return Object.keys(shared);
      return mailbox === "INBOX" ? [DEVICE_TOKEN] : [];
    },
    get(user, mailbox, entry) {
      if (mailbox === "") return shared[entry]?.();
      if (mailbox === "INBOX" && entry === DEVICE_TOKEN && facts.pushes())
        return tokens.of(user).join(" ") || undefined;
      return undefined;
    },
    set(user, mailbox, entry, value) {
      if (mailbox !== "INBOX" || entry !== DEVICE_TOKEN || !facts.pushes()) return false;
      // Each device adds its own; NIL says nothing about the others.
      return value === undefined || tokens.add(user, value);
    },
  };
}
