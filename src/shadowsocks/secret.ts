/** The password of a relay whose operator gave none: made once, kept in the state directory for its owner only. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { masterKey, type MethodName, methods } from "./engine/methods.ts";

const FILE = "shadowsocks.secret";
const OWNER_ONLY = 0o600;
const SECRET_BYTES = 32;

/** A password or a file that can't be used; the message is for the operator. */
export class SecretError extends Error {}

/** What the configuration says. */
export interface SecretSettings {
  method: MethodName;
  password?: string | undefined;
}

/**
 * The password in force.
 * @returns undefined where none is set and none was made yet
 * @throws {SecretError}
 */
export function knownPassword(stateDir: string, { method, password }: SecretSettings): string | undefined {
  if (password !== undefined) return checked(method, password);
  const file = join(stateDir, FILE);
  if (!existsSync(file)) return undefined;
  const secret = Buffer.from(read(file), "base64");
  if (secret.length !== SECRET_BYTES)
    throw new SecretError(`${file}: expected ${SECRET_BYTES} bytes in base64; remove it to get a new one`);
  const { family, keyBytes } = methods[method];
  // Another method later keeps the secret: it takes what it needs of it.
  return family === "sip022"
    ? secret.subarray(0, keyBytes).toString("base64")
    : secret.subarray(0, 16).toString("base64url");
}

/** The same, made when there is none. @throws {SecretError} */
export function ensurePassword(stateDir: string, settings: SecretSettings): string {
  const known = knownPassword(stateDir, settings);
  if (known !== undefined) return known;
  const file = join(stateDir, FILE);
  try {
    writeFileSync(file, `${randomBytes(SECRET_BYTES).toString("base64")}\n`, {
      mode: OWNER_ONLY,
      flag: "wx",
    });
  } catch (error) {
    throw new SecretError(`${file}: cannot be written (${codeOf(error)})`, { cause: error });
  }
  return ensurePassword(stateDir, settings);
}

function checked(method: MethodName, password: string): string {
  if (masterKey(methods[method], password) !== undefined) return password;
  const { keyBytes } = methods[method];
  throw new SecretError(
    `shadowsocks.password: ${method} needs a key of exactly ${keyBytes} bytes in base64, ` +
      `such as \`openssl rand -base64 ${keyBytes}\` prints; or leave it out to have one made`,
  );
}

function read(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch (error) {
    throw new SecretError(`${file}: cannot be read (${codeOf(error)})`, { cause: error });
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "unknown error";
}
