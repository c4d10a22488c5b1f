/** The engine's cryptography, by node:crypto. */
import { createHash, createPublicKey, getRandomValues, verify } from "node:crypto";
import type { RelayCrypto } from "./engine/handshake.ts";

/** What stands before a raw Ed25519 key in its DER form (RFC 8410 §4). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

export const relayCrypto: RelayCrypto = {
  verify(key, message, signature) {
    try {
      const spki = Buffer.concat([SPKI_PREFIX, key]);
      return verify(null, message, createPublicKey({ key: spki, format: "der", type: "spki" }), signature);
    } catch {
      // Not a point of the curve: the peer's fault like any other false claim.
      return false;
    }
  },
  sha1: (bytes) => createHash("sha1").update(bytes).digest(),
  random: (count) => getRandomValues(new Uint8Array(count)),
};
