/**
 * What makes the echo account itself: its key and the secrets of its invitation, in one file of the state directory that
 * only the relay may read. It is whole or absent at every moment; while it is there, the account of that name is the echo's.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Address } from "../core/address.ts";
import { parseJson } from "../core/json.ts";
import {
  armoredIdentity,
  fingerprintOf,
  type Identity,
  makeIdentity,
  readIdentity,
} from "../openpgp/identity.ts";

/** 144 bits, as Delta Chat makes them. */
const SECRET_BYTES = 18;

const stored = z.strictObject({
  address: z.string(),
  key: z.string(),
  /** So that a link can be shown without the library. */
  fingerprint: z.string(),
  invitation: z.string().min(16),
  auth: z.string().min(16),
});

/** The secrets of an invitation (SecureJoin), and whose it is. */
export interface Invitation {
  address: string;
  fingerprint: string;
  invitation: string;
  auth: string;
}

/** The file can't be used; the message is for the operator. */
export class OwnKeyError extends Error {}

export function ownKeyPath(stateDir: string): string {
  return join(stateDir, "echo", "key.json");
}

/** @returns undefined where there is none @throws {OwnKeyError} */
export function readInvitation(stateDir: string): Invitation | undefined {
  const { key: _, ...invitation } = read(stateDir) ?? { key: undefined };
  return "address" in invitation ? invitation : undefined;
}

/** The key of this address, made where there is none. @throws {OwnKeyError} (as a rejection) */
export async function openOwnKey(
  stateDir: string,
  address: Address,
): Promise<{ identity: Identity; invitation: Invitation; isNew: boolean }> {
  const kept = read(stateDir);
  if (kept !== undefined && kept.address === address) {
    const { key, ...invitation } = kept;
    try {
      return { identity: await readIdentity(address, key), invitation, isNew: false };
    } catch (error) {
      throw new OwnKeyError(`${ownKeyPath(stateDir)}: the key can't be read`, { cause: error });
    }
  }
  const identity = await makeIdentity(address);
  const secret = () => randomBytes(SECRET_BYTES).toString("base64url");
  const invitation = {
    address,
    fingerprint: fingerprintOf(identity.key),
    invitation: secret(),
    auth: secret(),
  };
  return { identity, invitation, isNew: true };
}

/** @throws {OwnKeyError} */
export function keepOwnKey(stateDir: string, identity: Identity, invitation: Invitation): void {
  const path = ownKeyPath(stateDir);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = openSync(`${path}.new`, "w", 0o600);
    try {
      writeSync(file, `${JSON.stringify({ ...invitation, key: armoredIdentity(identity) }, null, 2)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw new OwnKeyError(`${path}: can't be written`, { cause: error });
  }
}

function read(stateDir: string): z.output<typeof stored> | undefined {
  const path = ownKeyPath(stateDir);
  if (!existsSync(path)) return undefined;
  try {
    return stored.parse(parseJson(readFileSync(path, "utf8")));
  } catch (error) {
    throw new OwnKeyError(`${path}: damaged; restore it, or remove it for a new key`, { cause: error });
  }
}
