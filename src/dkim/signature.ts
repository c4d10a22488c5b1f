/** DKIM-Signature fields (RFC 6376 §3.5), read strictly: what is odd about a signature makes it worth nothing. */
import { lowerAscii } from "../core/bytes.ts";
import type { Canonicalization } from "./canonical.ts";
import type { KeyKind } from "./crypto.ts";
import { colonList, decodeBase64, parseTags, type Tag } from "./tags.ts";

/** Fields that a signature may name. */
const SIGNED_FIELDS_MAX = 512;
const DNS_NAME = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
const DNS_NAME_MAX_CHARS = 253;

export type SignatureFlaw =
  | "malformed"
  | "otherVersion"
  /** rsa-sha1 (RFC 8301 §3.1) and what nobody knows. */
  | "otherAlgorithm"
  | "otherCanonicalization"
  | "fromNotSigned"
  | "otherQuery"
  | "badDomain"
  | "identityOutside"
  | "expired";

export interface Signature {
  readonly algorithm: KeyKind;
  readonly headerForm: Canonicalization;
  readonly bodyForm: Canonicalization;
  /** `d=`, lower case. */
  readonly domain: string;
  readonly selector: string;
  /** Whether the domain of `i=` is `d=` itself. */
  readonly identityIsDomain: boolean;
  /** `h=`, lower case, in order. */
  readonly fields: readonly string[];
  readonly bodyHash: Uint8Array;
  readonly signature: Uint8Array;
  /** `l=`: how much of the canonical body is signed. */
  readonly bodyLength: number | undefined;
  /** The field's value with the value of `b=` taken out (RFC 6376 §3.7). */
  readonly unsignedValue: string;
}

export type SignatureResult = { ok: true; signature: Signature } | { ok: false; why: SignatureFlaw };

/**
 * Reads the value of one field.
 * @param value as it stands after the colon, folds included, one unit per byte
 * @param nowS seconds since 1970, for `x=`; a `t=` in the future is a clock that is ahead, no fault
 */
export function parseSignature(value: string, nowS: number): SignatureResult {
  const tags = parseTags(value);
  if (tags === undefined) return flaw("malformed");
  const text = (name: string): string => tags.get(name)?.value ?? "";
  if (text("v") !== "1") return flaw("otherVersion");
  const algorithm = algorithmOf(text("a"));
  if (algorithm === undefined) return flaw("otherAlgorithm");
  const forms = formsOf(tags.get("c")?.value ?? "simple");
  if (forms === undefined) return flaw("otherCanonicalization");
  const query = tags.get("q");
  if (query !== undefined && !colonList(query.value).includes("dns/txt")) return flaw("otherQuery");
  const domain = lowerAscii(text("d")).replace(/\.$/, "");
  const selector = lowerAscii(text("s"));
  if (!isDnsName(domain) || !isDnsName(selector)) return flaw("badDomain");
  const identity = identityOf(tags.get("i"), domain);
  if (identity === "outside") return flaw("identityOutside");
  const fields = colonList(text("h"));
  if (fields.length > SIGNED_FIELDS_MAX) return flaw("malformed");
  if (!fields.includes("from")) return flaw("fromNotSigned");
  const times = timesOf(tags);
  if (times === undefined) return flaw("malformed");
  if (times.expires !== undefined && times.expires < nowS) return flaw("expired");
  const signature = decodeBase64(text("b"));
  const bodyHash = decodeBase64(text("bh"));
  const bodyLength = numberOf(tags.get("l"));
  if (signature === undefined || bodyHash === undefined || bodyLength === "malformed")
    return flaw("malformed");
  const b = tags.get("b");
  const unsignedValue = b === undefined ? value : value.slice(0, b.start) + value.slice(b.end);
  return {
    ok: true,
    signature: {
      algorithm,
      ...forms,
      domain,
      selector,
      identityIsDomain: identity === "domain",
      fields,
      bodyHash,
      signature,
      bodyLength,
      unsignedValue,
    },
  };
}

function algorithmOf(text: string): KeyKind | undefined {
  const name = text.toLowerCase();
  if (name === "rsa-sha256") return "rsa";
  return name === "ed25519-sha256" ? "ed25519" : undefined;
}

/** RFC 6376 §3.5: the body's form is `simple` where it is not given. */
function formsOf(text: string): { headerForm: Canonicalization; bodyForm: Canonicalization } | undefined {
  const [headerForm = "", bodyForm = "simple", ...rest] = text.toLowerCase().split("/");
  if (!isForm(headerForm) || !isForm(bodyForm) || rest.length > 0) return undefined;
  return { headerForm, bodyForm };
}

function isForm(text: string): text is Canonicalization {
  return text === "simple" || text === "relaxed";
}

/** Whether `i=` speaks for `d=`, for something below it, or for somebody else. */
function identityOf(tag: Tag | undefined, domain: string): "domain" | "subdomain" | "outside" {
  if (tag === undefined) return "domain";
  const host = lowerAscii(tag.value.slice(tag.value.lastIndexOf("@") + 1));
  if (!tag.value.includes("@")) return "outside";
  if (host === domain) return "domain";
  return host.endsWith(`.${domain}`) ? "subdomain" : "outside";
}

/** RFC 6376 §3.5: `x=` must be after `t=`. */
function timesOf(tags: ReadonlyMap<string, Tag>): { expires: number | undefined } | undefined {
  const signed = numberOf(tags.get("t"));
  const expires = numberOf(tags.get("x"));
  if (signed === "malformed" || expires === "malformed") return undefined;
  if (signed !== undefined && expires !== undefined && expires < signed) return undefined;
  return { expires };
}

function numberOf(tag: Tag | undefined): number | undefined | "malformed" {
  if (tag === undefined) return undefined;
  return /^\d{1,15}$/.test(tag.value) ? Number(tag.value) : "malformed";
}

function isDnsName(text: string): boolean {
  return text.length <= DNS_NAME_MAX_CHARS && DNS_NAME.test(text);
}

function flaw(why: SignatureFlaw): SignatureResult {
  return { ok: false, why };
}
