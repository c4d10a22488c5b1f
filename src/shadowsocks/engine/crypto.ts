/** The cryptography that an engine is given: it has no runtime modules of its own. */

export type CipherName = "aes-gcm" | "chacha20-poly1305";

/** One key of an AEAD cipher with nonces of 12 and tags of 16 bytes. `nonce` may be changed after each call. */
export interface Aead {
  /** @returns ciphertext and tag, in the order of the wire */
  seal(nonce: Uint8Array, plain: Uint8Array): readonly [body: Uint8Array, tag: Uint8Array];
  /** @param sealed ciphertext with its tag behind it. @returns undefined unless the tag is right */
  open(nonce: Uint8Array, sealed: Uint8Array): Uint8Array | undefined;
}

export interface Primitives {
  aead(cipher: CipherName, key: Uint8Array): Aead;
  /** From a generator fit for keys. */
  randomBytes(count: number): Uint8Array;
}

const NONCE_BYTES = 12;
export const TAG_BYTES = 16;

/** One direction of a session: the nonce counts every seal or open (SIP004, little-endian from 0). */
export class CountedAead {
  readonly #aead: Aead;
  readonly #nonce = new Uint8Array(NONCE_BYTES);

  constructor(aead: Aead) {
    this.#aead = aead;
  }

  seal(plain: Uint8Array): readonly [Uint8Array, Uint8Array] {
    const sealed = this.#aead.seal(this.#nonce, plain);
    this.#count();
    return sealed;
  }

  open(sealed: Uint8Array): Uint8Array | undefined {
    const plain = this.#aead.open(this.#nonce, sealed);
    this.#count();
    return plain;
  }

  #count(): void {
    for (let i = 0; i < NONCE_BYTES; i++) {
      const next = ((this.#nonce[i] ?? 0) + 1) & 0xff;
      this.#nonce[i] = next;
      if (next !== 0) return;
    }
  }
}
