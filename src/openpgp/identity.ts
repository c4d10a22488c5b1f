/**
 * Keys of accounts that this program itself writes and reads mail for, in the form that Delta Chat uses: OpenPGP v4,
 * Ed25519 and Curve25519. The library is loaded when it is first needed: a relay without such accounts never pays for it.
 */
import type { PrivateKey, PublicKey } from "openpgp";
import type { Address } from "../core/address.ts";

/** An account with its key. */
export interface Identity {
  readonly address: Address;
  readonly key: PrivateKey;
}

export const loadOpenpgp = () => import("openpgp");

export async function makeIdentity(address: Address): Promise<Identity> {
  const { generateKey } = await loadOpenpgp();
  const { privateKey: key } = await generateKey({
    type: "ecc",
    // Every OpenPGP program of the last ten years reads these.
    curve: "ed25519Legacy",
    userIDs: [{ email: userIdOf(address) }],
    format: "object",
  });
  return { address, key };
}

/** @throws {Error} on what is no secret key in clear */
export async function readIdentity(address: Address, armored: string): Promise<Identity> {
  const { readPrivateKey } = await loadOpenpgp();
  const key = await readPrivateKey({ armoredKey: armored });
  if (!key.isDecrypted()) throw new Error("the key is locked with a passphrase");
  return { address, key };
}

export function armoredIdentity({ key }: Identity): string {
  return key.armor();
}

/** Upper case hex, as invitations have it. */
export function fingerprintOf(key: PrivateKey | PublicKey): string {
  return key.getFingerprint().toUpperCase();
}

/** The value of an Autocrypt field (Autocrypt 1.1 §2.1), folded. */
export function autocryptField({ address, key }: Identity): string {
  return `addr=${address}; prefer-encrypt=mutual; ${keydata(key.toPublic())}`;
}

/** The same of a recipient's key (Autocrypt 1.1 §2.5); SecureJoin proves by it whom a message was written for. */
export function gossipField(address: Address, key: PublicKey): string {
  return `addr=${address}; ${keydata(key)}`;
}

function keydata(key: PublicKey): string {
  const lines =
    Buffer.from(key.write())
      .toString("base64")
      .match(/.{1,72}/g) ?? [];
  return `keydata=\r\n ${lines.join("\r\n ")}`;
}

/** The key in an Autocrypt field of this address; undefined where there is none that can be used. */
export async function autocryptKey(value: string, address: Address): Promise<PublicKey | undefined> {
  const attributes = new Map(
    value.split(";").map((part): [string, string] => {
      const at = part.indexOf("=");
      return [part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim()];
    }),
  );
  if (attributes.get("addr")?.toLowerCase() !== address) return undefined;
  const { readKey } = await loadOpenpgp();
  try {
    const key = await readKey({ binaryKey: Buffer.from(attributes.get("keydata") ?? "", "base64") });
    return key.toPublic();
  } catch {
    return undefined;
  }
}

/** The library wants a name with a dot; the user ID means nothing to Delta Chat, which goes by fingerprints. */
function userIdOf(address: Address): string {
  return address.replace(/@\[(.*)\]$/, (_, literal: string) => `@${literal.replaceAll(":", "-")}.literal`);
}
