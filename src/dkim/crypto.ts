/** What DKIM needs of cryptography, passed in, so that this room stays bytes in, verdict out. */

export type KeyKind = "rsa" | "ed25519";

export interface Sha256 {
  /** Takes the bytes at once: they may be borrowed. */
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
}

export interface PublicKey {
  readonly kind: KeyKind;
  /** Of the modulus; 256 for Ed25519. */
  readonly bits: number;
  /** RSASSA-PKCS1-v1_5 with SHA-256, or PureEdDSA over the SHA-256 of `data` (RFC 8463 §3). Never throws. */
  verify(data: Uint8Array, signature: Uint8Array): boolean;
}

export interface PrivateKey {
  readonly kind: KeyKind;
  /** The same schemes as `PublicKey.verify`. */
  sign(data: Uint8Array): Promise<Uint8Array>;
}

export interface DkimCrypto {
  sha256(): Sha256;
  /**
   * @param bytes of RSA: SubjectPublicKeyInfo, or what some publish by mistake, RSAPublicKey; of Ed25519 (RFC 8463 §4):
   * the 32 bytes of the key
   * @returns undefined when it is no such key
   */
  publicKey(kind: KeyKind, bytes: Uint8Array): PublicKey | undefined;
}
