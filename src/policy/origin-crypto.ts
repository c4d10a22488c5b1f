/** The cryptography of DKIM, by node:crypto. Verification is synchronous: 0.04 ms for RSA-2048, 0.13 for Ed25519. */
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import type { DkimCrypto, KeyKind, PublicKey } from "../dkim/crypto.ts";

/** SubjectPublicKeyInfo of an Ed25519 key up to the key (RFC 8410 §4). */
const ED25519_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const ED25519_KEY_BYTES = 32;

export const dkimCrypto: DkimCrypto = {
  sha256() {
    const hash = createHash("sha256");
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
  },
  publicKey: (kind, bytes) => (kind === "rsa" ? rsaKey(bytes) : ed25519Key(bytes)),
};

function rsaKey(bytes: Uint8Array): PublicKey | undefined {
  const key = imported(bytes, "spki") ?? imported(bytes, "pkcs1");
  if (key?.asymmetricKeyType !== "rsa") return undefined;
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return publicKey("rsa", bits, (data, signature) => verify("sha256", data, key, signature));
}

function ed25519Key(bytes: Uint8Array): PublicKey | undefined {
  if (bytes.length !== ED25519_KEY_BYTES) return undefined;
  const key = imported(Buffer.concat([ED25519_PREFIX, bytes]), "spki");
  if (key === undefined) return undefined;
  return publicKey("ed25519", 256, (data, signature) => verify(null, sha256(data), key, signature));
}

function publicKey(kind: KeyKind, bits: number, check: PublicKey["verify"]): PublicKey {
  return {
    kind,
    bits,
    verify(data, signature) {
      try {
        return check(data, signature);
      } catch {
        // A signature of impossible length, a key with impossible numbers: the peer's fault either way.
        return false;
      }
    },
  };
}

function imported(der: Uint8Array, type: "spki" | "pkcs1"): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(der), format: "der", type });
  } catch {
    return undefined;
  }
}

/** Hash of what is at hand as a whole. */
export function sha256(data: Uint8Array): Uint8Array {
  return createHash("sha256").update(data).digest();
}
