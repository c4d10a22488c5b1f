/** `madmail admin-token`: what opens the admin API, for a person, a phone or a script. */
import { defineCommand } from "citty";
import { renderUnicodeCompact } from "uqr";
import { adminToken } from "../auth/admin-token.ts";
import { hostOf } from "../core/address.ts";
import type { Caller } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { configOf, confirmed, operate } from "./operate.ts";
import { CommandError, report } from "./output.ts";

const HTTPS_PORT = 443;

interface Access {
  token: string;
  /** Of the admin API; null where nothing listens for https. */
  url: string | null;
  /** What panels scan: base64url of `{"u":url,"t":token}`. */
  code: string | null;
}

export function adminTokenCommand(globals: Globals) {
  return defineCommand({
    meta: {
      name: "admin-token",
      description: "Token and address of the admin API, with a QR code for panels",
    },
    args: {
      raw: { type: "boolean", description: "The token and nothing else" },
      qr: {
        type: "boolean",
        default: true,
        negativeDescription: "No QR code",
        description: "With a QR code",
      },
      replace: { type: "boolean", description: "Make a new one; the old one opens nothing any more" },
      yes: { type: "boolean", alias: "y", description: "Do not ask" },
    },
    async run({ args }) {
      const access = await operate(globals, async (caller) => {
        if (args.replace === true) {
          const what = "lock out everybody who has the token";
          if (!(await confirmed(globals, "admin-token", what, args.yes))) return undefined;
          await caller.call("admin.replaceToken", {});
        }
        return accessOf(globals, caller);
      });
      if (access === undefined) return;
      if (args.raw === true && !globals.json) process.stdout.write(`${access.token}\n`);
      else report(globals, "admin-token", accessText(access, args.qr), access);
    },
  });
}

/** The token itself is read here, from its file: no operation gives it out. */
async function accessOf(globals: Globals, caller: Caller): Promise<Access> {
  const config = configOf(globals);
  const token = adminToken(config);
  if (token === undefined) throw new CommandError('the admin API is off: `[admin] token = "disabled"`');
  const { value: path } = await caller.call("settings.get", { name: "admin_path" });
  const { listeners } = await caller.call("relay.status", {});
  const bound = listeners["https"]?.[0];
  const port =
    bound === undefined ? config.listen.https[0]?.port : Number(bound.slice(bound.lastIndexOf(":") + 1));
  // A port of the system's choice is not known before the start.
  if (port === undefined || port === 0) return { token, url: null, code: null };
  const host = hostOf(config.publicAddress ?? config.hostname);
  const name = host.includes(":") ? `[${host}]` : host;
  const url = `https://${name}${port === HTTPS_PORT ? "" : `:${port}`}${path ?? ""}`;
  return { token, url, code: Buffer.from(JSON.stringify({ u: url, t: token })).toString("base64url") };
}

function accessText({ token, url, code }: Access, qr: boolean): string {
  const picture = qr && code !== null ? `\n${renderUnicodeCompact(code, { border: 2, ecc: "M" })}\n` : "";
  return `token  ${token}\nAPI    ${url ?? "nowhere: nothing listens for https"}\n${picture}`;
}
