/**
 * The ciphers of Shadowsocks and how their keys come about: SIP004 (AEAD) derives keys from any password, SIP022
 * (AEAD-2022) takes the key itself, in base64.
 */
import { blake3 } from "@noble/hashes/blake3.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { md5, sha1 } from "@noble/hashes/legacy.js";
import { concat, EMPTY, fromLatin1, fromUtf8 } from "../../core/bytes.ts";
import type { CipherName } from "./crypto.ts";

export interface Method {
  readonly cipher: CipherName;
  /** Of the key, and of the salt. */
  readonly keyBytes: 16 | 32;
  readonly family: "sip004" | "sip022";
}

export const methods = {
  "aes-128-gcm": { cipher: "aes-gcm", keyBytes: 16, family: "sip004" },
  "aes-256-gcm": { cipher: "aes-gcm", keyBytes: 32, family: "sip004" },
  "chacha20-ietf-poly1305": { cipher: "chacha20-poly1305", keyBytes: 32, family: "sip004" },
  "2022-blake3-aes-128-gcm": { cipher: "aes-gcm", keyBytes: 16, family: "sip022" },
  "2022-blake3-aes-256-gcm": { cipher: "aes-gcm", keyBytes: 32, family: "sip022" },
  "2022-blake3-chacha20-poly1305": { cipher: "chacha20-poly1305", keyBytes: 32, family: "sip022" },
} as const satisfies Record<string, Method>;

export type MethodName = keyof typeof methods;

const SIP004_INFO = fromLatin1("ss-subkey");
const SIP022_CONTEXT = fromLatin1("shadowsocks 2022 session subkey");
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** The key of all sessions. @returns undefined for a password that a method of SIP022 can't take */
export function masterKey({ family, keyBytes }: Method, password: string): Uint8Array | undefined {
  if (family === "sip004") return bytesToKey(fromUtf8(password), keyBytes);
  if (!BASE64.test(password)) return undefined;
  const key = Buffer.from(password, "base64");
  return key.length === keyBytes ? key : undefined;
}

/** The key of one direction of one session. */
export function sessionKey({ family, keyBytes }: Method, master: Uint8Array, salt: Uint8Array): Uint8Array {
  if (family === "sip004") return hkdf(sha1, master, salt, SIP004_INFO, keyBytes);
  return blake3(concat([master, salt]), { context: SIP022_CONTEXT, dkLen: keyBytes });
}

/** OpenSSL's EVP_BytesToKey with MD5, no salt, one round: what every implementation does with a password. */
function bytesToKey(password: Uint8Array, keyBytes: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let filled = 0; filled < keyBytes; ) {
    const block = md5(concat([blocks.at(-1) ?? EMPTY, password]));
    blocks.push(block);
    filled += block.length;
  }
  return concat(blocks).subarray(0, keyBytes);
}
