/**
 * Key records (RFC 6376 §3.6.1, RFC 8463 §4), as found in the DNS: what the standard says, and what people paste.
 * Tolerated: no `v=`, white space anywhere in the key, backslashes before semicolons and quotes left over from zone files.
 */
import type { DkimCrypto, KeyKind, PublicKey } from "./crypto.ts";
import { colonList, decodeBase64, parseTags } from "./tags.ts";

/** RFC 8301 §3.2: shorter RSA keys are not to be trusted; longer ones than the upper bound cost time. */
const RSA_MIN_BITS = 1024;
const RSA_MAX_BITS = 4096;
/** Twice the record of an RSA-4096 key. */
const RECORD_MAX_CHARS = 2048;

export type KeyFlaw =
  | "noRecord"
  | "revoked"
  | "unknownKind"
  | "badKey"
  | "weakKey"
  | "notForMail"
  | "otherHash";

/** What a record says. */
export interface KeyRecord {
  readonly key: PublicKey;
  /** `t=s`: the signature's `i=` may not be in a subdomain. */
  readonly strictIdentity: boolean;
  /** `t=y`: the domain is only trying DKIM out. Told to operators; it changes no verdict (RFC 6376 §3.6.1). */
  readonly testing: boolean;
}

export type KeyResult = { ok: true; record: KeyRecord } | { ok: false; why: KeyFlaw };

/** Reads one TXT record, its strings joined. */
export function parseKeyRecord(text: string, crypto: DkimCrypto): KeyResult {
  if (text.length > RECORD_MAX_CHARS) return flaw("noRecord");
  const tags = parseTags(unquote(text));
  const value = (name: string) => tags?.get(name)?.value;
  const p = value("p");
  // RFC 6376 §3.6.1: `v=` comes first if at all. Records that are not about DKIM have another one, or no key.
  if (p === undefined || (value("v") ?? "DKIM1") !== "DKIM1") return flaw("noRecord");
  if (p.replace(/\s+/g, "") === "") return flaw("revoked");
  const hashes = value("h");
  if (hashes !== undefined && !colonList(hashes).includes("sha256")) return flaw("otherHash");
  const services = colonList(value("s") ?? "*");
  if (services.length > 0 && !services.includes("*") && !services.includes("email"))
    return flaw("notForMail");
  const kind = (value("k") ?? "rsa").toLowerCase();
  if (!isKeyKind(kind)) return flaw("unknownKind");
  const bytes = decodeBase64(p);
  const key = bytes === undefined ? undefined : crypto.publicKey(kind, bytes);
  if (key === undefined) return flaw("badKey");
  if (kind === "rsa" && (key.bits < RSA_MIN_BITS || key.bits > RSA_MAX_BITS)) return flaw("weakKey");
  const flags = colonList(value("t") ?? "");
  return { ok: true, record: { key, strictIdentity: flags.includes("s"), testing: flags.includes("y") } };
}

function isKeyKind(text: string): text is KeyKind {
  return text === "rsa" || text === "ed25519";
}

/** Takes off what belongs to zone files: backslashes, quotes around the whole and between pasted pieces. */
function unquote(text: string): string {
  return text.replace(/\\(?=[;"\\])/g, "").replace(/"/g, "");
}

function flaw(why: KeyFlaw): KeyResult {
  return { ok: false, why };
}
