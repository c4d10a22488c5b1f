/** The secrets of a relay: its DKIM key, its certificate, and the configuration that goes with them. */
import { createPrivateKey } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import type { Owner } from "./body.ts";
import { makeOwned, writeOwned } from "./disk.ts";
import type { LeftBehind, Source } from "./source.ts";

/** @returns what came */
export function takeKeys(
  source: Source,
  stateDir: string,
  owner: Owner,
  configPath: string,
  leave: (left: LeftBehind) => void,
): { dkim: boolean; tls: boolean; config: string | undefined } {
  const dkim = source.dkim !== undefined && takeDkim(source.dkim, stateDir, owner, leave);
  const tls = source.tls === undefined ? undefined : takeTls(source.tls, stateDir, owner, leave);
  if (source.config !== undefined && !fs.existsSync(configPath)) {
    writeOwned(configPath, source.config({ stateDir, tls }), owner);
  }
  return { dkim, tls: tls !== undefined, config: source.config === undefined ? undefined : configPath };
}

/** Into `dkim/`, where the first start finds it and goes on signing with it under its own selector. */
function takeDkim(
  { selector, path }: { selector: string; path: string },
  stateDir: string,
  owner: Owner,
  leave: (left: LeftBehind) => void,
): boolean {
  const directory = join(stateDir, "dkim");
  const target = join(directory, `${selector}.private`);
  const pem = readSecret(path, leave);
  if (pem === undefined) return false;
  try {
    if (createPrivateKey(pem).asymmetricKeyType !== "rsa") {
      leave({ why: "a DKIM key that is not RSA", what: path });
      return false;
    }
  } catch {
    leave({ why: "a DKIM key that can't be read", what: path });
    return false;
  }
  if (fs.existsSync(target)) {
    if (fs.readFileSync(target, "utf8") === pem) return true;
    leave({ why: "a DKIM key, because this relay has one of that name already", what: path });
    return false;
  }
  if (fs.existsSync(join(directory, "keys.json"))) {
    const why =
      "a DKIM key, because this relay has keys already: move `dkim` out of the state directory to take it";
    leave({ why, what: path });
    return false;
  }
  makeOwned(directory, owner);
  writeOwned(target, pem, owner);
  return true;
}

function takeTls(
  { cert, key }: { cert: string; key: string },
  stateDir: string,
  owner: Owner,
  leave: (left: LeftBehind) => void,
): { cert: string; key: string } | undefined {
  const certPem = readSecret(cert, leave);
  const keyPem = readSecret(key, leave);
  if (certPem === undefined || keyPem === undefined) return undefined;
  const directory = join(stateDir, "imported-tls");
  makeOwned(directory, owner);
  const taken = { cert: join(directory, "fullchain.pem"), key: join(directory, "privkey.pem") };
  writeOwned(taken.cert, certPem, owner);
  writeOwned(taken.key, keyPem, owner);
  return taken;
}

function readSecret(path: string, leave: (left: LeftBehind) => void): string | undefined {
  try {
    return fs.readFileSync(path, "utf8");
  } catch (error) {
    leave({
      why: `a key or certificate that can't be read (${(error as NodeJS.ErrnoException).code})`,
      what: path,
    });
    return undefined;
  }
}
