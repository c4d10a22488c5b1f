/** The operator's token: from the configuration, else a file of the state directory that is made at first need and stays. */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/config.ts";

const TOKEN_BYTES = 32;
/** What the configuration says to turn the admin API off. */
const DISABLED = "disabled";

export function adminTokenPath(stateDir: string): string {
  return join(stateDir, "admin_token");
}

/**
 * The token in force. What an older version left in the file is taken as it is, whatever its form.
 * @returns undefined where the admin API is off
 * @throws {Error} of the file system
 */
export function adminToken({ stateDir, admin }: Pick<Config, "stateDir" | "admin">): string | undefined {
  if (admin.token !== undefined) return admin.token === DISABLED ? undefined : admin.token;
  const path = adminTokenPath(stateDir);
  const kept = existsSync(path) ? readFileSync(path, "utf8").trim() : "";
  return kept === "" ? replaceAdminToken(stateDir) : kept;
}

/** Makes a new token. The file is whole or absent at every moment. @returns the token */
export function replaceAdminToken(stateDir: string): string {
  const token = Buffer.from(crypto.getRandomValues(new Uint8Array(TOKEN_BYTES))).toString("base64url");
  const path = adminTokenPath(stateDir);
  const file = openSync(`${path}.new`, "w", 0o600);
  try {
    writeSync(file, `${token}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  return token;
}
