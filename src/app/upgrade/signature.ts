/** Whether a file was signed by the owner of the release key. There is no way around this check. */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { InstallError } from "../install/machine.ts";

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** The head of an Ed25519 key in SubjectPublicKeyInfo (RFC 8410 §4). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

export class ReleaseKey {
  readonly #key: KeyObject;

  /** @param text 32 bytes in base64, as the build carries them @throws {InstallError} */
  constructor(text: string | undefined) {
    if (text === undefined) {
      throw new InstallError(
        "this program was built without a release key, so it can't tell a good release from a bad one; install your own build with install.sh --binary",
      );
    }
    const bytes = Buffer.from(text, "base64");
    if (bytes.length !== KEY_BYTES) throw new InstallError("the release key of this build is damaged");
    this.#key = createPublicKey({
      key: Buffer.concat([SPKI_PREFIX, bytes]),
      format: "der",
      type: "spki",
    });
  }

  /** @param name for the message @throws {InstallError} when the signature is missing or wrong */
  check(file: string, signatureFile: string, name: string): void {
    if (!existsSync(signatureFile)) throw new InstallError(`INVALID SIGNATURE: ${name} has none`);
    const signature = readFileSync(signatureFile);
    // Mapped, not read: a hundred megabytes are much on a small machine.
    const isRight =
      signature.length === SIGNATURE_BYTES &&
      statSync(file).size > 0 &&
      verify(null, Bun.mmap(file), this.#key, signature);
    if (!isRight) {
      throw new InstallError(`INVALID SIGNATURE: ${name} was not made by the owner of the release key`);
    }
  }
}
