/** `madmail hash`: the hash of a password, as `accounts import` takes it. Needs no relay. */
import { createHash } from "node:crypto";
import { defineCommand } from "citty";
import { hashPassword } from "../auth/hashes.ts";
import { systemRandom } from "../auth/names.ts";
import type { Globals } from "./globals.ts";
import { report, wholeNumber } from "./output.ts";
import { secretOf } from "./shown.ts";

const BCRYPT_COST_DEFAULT = "10";
/** Costlier ones are refused at login. */
const BCRYPT_COST_MAX = 15;
const SALT_BYTES = 32;

export function hashCommand(globals: Globals) {
  return defineCommand({
    meta: { name: "hash", description: "Print the hash of a password, as `accounts import` takes it" },
    args: {
      password: {
        type: "string",
        alias: "p",
        description: "The password, or - to read it from standard input",
      },
      hash: {
        type: "enum",
        options: ["argon2", "bcrypt", "sha256"],
        default: "argon2",
        description: "Its kind",
      },
      "bcrypt-cost": {
        type: "string",
        description: `4 to ${BCRYPT_COST_MAX}; default ${BCRYPT_COST_DEFAULT}`,
      },
    },
    async run({ args }) {
      const cost = wholeNumber("--bcrypt-cost", args["bcrypt-cost"] ?? BCRYPT_COST_DEFAULT, 4);
      const password = (await secretOf(args.password, true)) ?? "";
      const hash = await hashOf(args.hash, password, Math.min(cost, BCRYPT_COST_MAX));
      report(globals, "hash", hash, { hash });
    },
  });
}

async function hashOf(kind: string, password: string, cost: number): Promise<string> {
  if (kind === "bcrypt") return await Bun.password.hash(password, { algorithm: "bcrypt", cost });
  if (kind !== "sha256") return await hashPassword(password);
  const salt = systemRandom(SALT_BYTES);
  const digest = createHash("sha256").update(salt).update(password, "utf8").digest("base64");
  return `sha256:${Buffer.from(salt).toString("base64")}:${digest}`;
}
