/**
 * Ciphers for the engine. AES-GCM is native: 3 µs for 16 kB. Bun's node:crypto has no ChaCha20-Poly1305, and WebCrypto
 * has it only asynchronously; in JavaScript it does 25 to 60 MB/s (measured).
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { type Aead, type Primitives, TAG_BYTES } from "./engine/crypto.ts";

export const primitives: Primitives = {
  aead: (cipher, key) => (cipher === "aes-gcm" ? aesGcm(key) : chacha(key)),
  randomBytes,
};

function aesGcm(key: Uint8Array): Aead {
  const name = key.length === 16 ? "aes-128-gcm" : "aes-256-gcm";
  const options = { authTagLength: TAG_BYTES };
  return {
    seal(nonce, plain) {
      const cipher = createCipheriv(name, key, nonce, options);
      const body = cipher.update(plain);
      cipher.final();
      return [body, cipher.getAuthTag()];
    },
    open(nonce, sealed) {
      const split = sealed.length - TAG_BYTES;
      const decipher = createDecipheriv(name, key, nonce, options);
      decipher.setAuthTag(sealed.subarray(split));
      const plain = decipher.update(sealed.subarray(0, split));
      try {
        decipher.final();
      } catch {
        return undefined;
      }
      return plain;
    },
  };
}

function chacha(key: Uint8Array): Aead {
  return {
    seal(nonce, plain) {
      const sealed = chacha20poly1305(key, nonce).encrypt(plain);
      const split = sealed.length - TAG_BYTES;
      return [sealed.subarray(0, split), sealed.subarray(split)];
    },
    open(nonce, sealed) {
      try {
        return chacha20poly1305(key, nonce).decrypt(sealed);
      } catch {
        return undefined;
      }
    },
  };
}
