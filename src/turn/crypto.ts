/** The hashes of STUN from the runtime. */
import { createHash, createHmac } from "node:crypto";
import { crc32 } from "node:zlib";
import type { StunCrypto } from "./engine/stun.ts";

export const stunCrypto: StunCrypto = {
  hmacSha1: (key, bytes) => createHmac("sha1", key).update(bytes).digest(),
  hmacSha256: (key, bytes) => createHmac("sha256", key).update(bytes).digest(),
  md5: (bytes) => createHash("md5").update(bytes).digest(),
  crc32: (bytes) => crc32(bytes),
};
