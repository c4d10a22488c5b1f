/**
 * DKIM, put together for the relay: signs what leaves, and watches the DNS for keys that wait to be seen there.
 * The check of what comes in is policy/origin.ts.
 */
import { type Domain, domainOf } from "../core/address.ts";
import { EMPTY, fromLatin1 } from "../core/bytes.ts";
import type { CancelTimer, Clock } from "../core/clock.ts";
import { BODY_SLICE_MAX_BYTES, HEADER_MAX_BYTES } from "../core/limits.ts";
import type { MessageSource, Signer } from "../delivery/courier.ts";
import { BodyHasher, signatureFields } from "../dkim/signer.ts";
import { parseTags } from "../dkim/tags.ts";
import type { Resolver } from "../dns/resolver.ts";
import type { Log } from "../log/events.ts";
import { headerEnd, parseFields } from "../mime/header.ts";
import { authorTexts } from "../pgp/scanner.ts";
import { fromAddress } from "../policy/admit.ts";
import { dkimCrypto } from "../policy/origin-crypto.ts";
import { DkimKeyError, type DkimKeys, type KeyFacts } from "./dkim-keys.ts";

/** How often the DNS is asked about keys that wait. */
const WATCH_MS = 10 * 60_000;

export interface SignerParts {
  keys: Pick<DkimKeys, "signing">;
  isLocal(domain: Domain): boolean;
  clock: Clock;
}

/** A group's mail to many domains is signed once, if it leaves within this time. */
const SAME_FOR_MS = 60_000;

/** Signs stored messages whose From is at a domain of ours; IP addresses have no DNS to publish a key in. */
export class MailSigner implements Signer {
  readonly #parts: SignerParts;
  /** By the message as it is held in memory, so it goes with it. */
  readonly #recent = new WeakMap<MessageSource, { fields: Promise<Uint8Array>; untilMs: number }>();

  constructor(parts: SignerParts) {
    this.#parts = parts;
  }

  sign(source: MessageSource): Promise<Uint8Array> {
    const nowMs = this.#parts.clock.monotonicMs();
    const recent = this.#recent.get(source);
    if (recent !== undefined && recent.untilMs > nowMs) return recent.fields;
    const fields = this.#sign(source);
    this.#recent.set(source, { fields, untilMs: nowMs + SAME_FOR_MS });
    // The caller hears of it; the next one tries anew.
    fields.catch(() => this.#recent.delete(source));
    return fields;
  }

  async #sign(source: MessageSource): Promise<Uint8Array> {
    const { keys, clock } = this.#parts;
    const block = await readHeader(source);
    const fields = parseFields(block);
    const from = authorTexts(block, fields);
    const author = fromAddress({ from, fromFieldCount: fields.filter(({ name }) => name === "from").length });
    if (author === undefined) return EMPTY;
    const domain = domainOf(author);
    if (domain.startsWith("[") || !this.#parts.isLocal(domain)) return EMPTY;
    const hasher = new BodyHasher(dkimCrypto);
    for (let at = block.length; at < source.size; ) {
      const slice = await source.read(at, Math.min(BODY_SLICE_MAX_BYTES, source.size - at));
      if (slice.length === 0) throw new Error("a stored message is shorter than its size");
      hasher.write(slice);
      at += slice.length;
    }
    const text = await signatureFields({
      header: { bytes: block, fields },
      bodyHash: hasher.digest(),
      domain,
      nowS: clock.nowMs() / 1000,
      keys: keys.signing(domain),
    });
    return fromLatin1(text);
  }
}

/** The header block with its blank line; all there is where none ends it. */
async function readHeader(source: MessageSource): Promise<Uint8Array> {
  let block: Uint8Array = EMPTY;
  // One read is enough but for giant headers, which come twice or three times.
  for (let length = 16_384; ; length *= 4) {
    block = await source.read(0, Math.min(length, source.size, BODY_SLICE_MAX_BYTES));
    const end = headerEnd(block);
    if (end >= 0) return block.subarray(0, end);
    if (block.length >= source.size || block.length < length || length > HEADER_MAX_BYTES) return block;
  }
}

export type KeyShown = "shown" | "missing" | "different" | "trouble";

/** Whether the DNS of a domain shows this key. */
export async function keyShown(
  resolver: Pick<Resolver, "txt">,
  key: Pick<KeyFacts, "selector" | "algorithm" | "publicBytes">,
  domain: Domain,
): Promise<KeyShown> {
  const answer = await resolver.txt(`${key.selector}._domainkey.${domain}`);
  if (answer.kind === "trouble") return "trouble";
  if (answer.kind !== "found") return "missing";
  const wanted = Buffer.from(key.publicBytes).toString("base64");
  const shown = answer.records.map((record) => parseTags(record)?.get("p")?.value.replace(/\s+/g, ""));
  return shown.includes(wanted) ? "shown" : "different";
}

export interface KeyWatchParts {
  keys: DkimKeys;
  resolver: Pick<Resolver, "txt">;
  domains: readonly Domain[];
  clock: Clock;
  log: Log;
}

/**
 * Confirms keys as the DNS shows them: at once, and then every ten minutes while any waits. Keys made by a command
 * meanwhile are seen then.
 * @returns what stops it
 */
export function watchKeys(parts: KeyWatchParts): CancelTimer {
  let stopped = false;
  let cancel: CancelTimer = () => {};
  const round = () => {
    confirmShown(parts, () => stopped)
      .catch((error: unknown) => parts.log.emit({ kind: "internalFault", where: "DKIM keys", error }))
      .finally(() => {
        if (!stopped) cancel = parts.clock.after(WATCH_MS, round);
      });
  };
  round();
  return () => {
    stopped = true;
    cancel();
  };
}

/** One round. @returns what it confirmed */
export async function confirmShown(
  { keys, resolver, domains, log }: Omit<KeyWatchParts, "clock">,
  isStopped: () => boolean = () => false,
): Promise<{ selector: string; domain: Domain }[]> {
  const confirmed: { selector: string; domain: Domain }[] = [];
  try {
    keys.reload();
    for (const domain of domains.filter((each) => !each.startsWith("["))) {
      for (const key of keys.all().filter((each) => !each.confirmed.includes(domain))) {
        const shown = await keyShown(resolver, key, domain);
        if (isStopped()) return confirmed;
        if (shown !== "shown") continue;
        keys.confirm(key.selector, domain);
        confirmed.push({ selector: key.selector, domain });
      }
    }
  } catch (error) {
    if (!(error instanceof DkimKeyError)) throw error;
    log.emit({ kind: "notice", text: error.message });
  }
  return confirmed;
}
