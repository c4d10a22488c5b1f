/** Files for clients to send: random, so that nothing on the way can make them smaller or mix them up. */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";

/** Most that `getRandomValues` fills at once. */
const RANDOM_MAX_BYTES = 65_536;

/** @returns the SHA-256 of what was written */
export function writeRandomFile(path: string, size: number): string {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += RANDOM_MAX_BYTES) {
    crypto.getRandomValues(bytes.subarray(at, at + RANDOM_MAX_BYTES));
  }
  writeFileSync(path, bytes);
  return sha256(bytes);
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
