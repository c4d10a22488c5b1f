/** `madmail proxy`: the Shadowsocks link for clients whose network blocks this relay. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CommandDef, defineCommand } from "citty";
import { renderUnicodeCompact } from "uqr";
import { type ProxyFacts, proxyFacts } from "../shadowsocks/facts.ts";
import type { Config } from "../config/config.ts";
import { locateConfig } from "../config/locate.ts";
import { applySettings } from "../config/settings.ts";
import { readConfig } from "../config/read.ts";
import { closeDatabase, DatabaseError, openDatabase } from "../db/open.ts";
import { SettingRows } from "../db/settings.ts";
import { SecretError } from "../shadowsocks/secret.ts";
import { Settings } from "../state/settings.ts";
import type { Globals } from "./globals.ts";
import { CommandError, report } from "./output.ts";

export function proxyCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: {
      name: "proxy",
      description: "Show the Shadowsocks proxy and the link that leads clients through it",
    },
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "Whether it is on, its cipher, its link as a QR code" },
        run() {
          const facts = readFacts(globals);
          report(globals, "proxy status", statusText(facts), facts);
        },
      }),
      link: defineCommand({
        meta: { name: "link", description: "Print the ss:// link alone" },
        run() {
          const { link } = readFacts(globals);
          if (link === undefined) throw new CommandError(noLink);
          report(globals, "proxy link", link, { link });
        },
      }),
    },
    default: "status",
  });
}

const noLink =
  "there is no link yet: the first start with `enabled = true` in [shadowsocks] makes the password";

function statusText({ enabled, cipher, link }: ProxyFacts): string {
  const state = enabled ? "on" : "off: set `enabled = true` in [shadowsocks] and reload";
  const lines = [`Shadowsocks  ${state}`, `cipher       ${cipher}`];
  if (link === undefined) return [...lines, noLink].join("\n");
  const qr = enabled ? `\n${renderUnicodeCompact(link, { border: 2 })}\n` : "";
  return `${lines.join("\n")}\nlink         ${link}\n${qr}`;
}

function readFacts(globals: Globals): ProxyFacts {
  const file = globals.config ?? locateConfig();
  if (file === undefined) throw new CommandError("no configuration file found; name one with --config");
  const config = readConfig(file, { stateDir: globals.stateDir });
  try {
    return withSettings(config, (settings) => proxyFacts(applySettings(config, (key) => settings.get(key))));
  } catch (error) {
    if (error instanceof SecretError || error instanceof DatabaseError)
      throw new CommandError(error.message, { cause: error });
    throw error;
  }
}

/** What was changed at run time, where there was a run. */
function withSettings<T>(config: Config, use: (settings: Pick<Settings, "get" | "flag">) => T): T {
  const path = join(config.stateDir, "madmail.db");
  if (!existsSync(path)) return use({ get: () => undefined, flag: () => undefined });
  const db = openDatabase(path);
  try {
    const settings = new Settings(new SettingRows(db), () => config);
    settings.hydrate();
    return use(settings);
  } finally {
    closeDatabase(db);
  }
}
