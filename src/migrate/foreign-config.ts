/** Finds and reads the configuration that goes with a state directory: maddy's syntax, or madmail 2's flat TOML. */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parse as parseToml } from "smol-toml";
import { type Domain, parseDomain } from "../core/address.ts";
import { type Directive, type MaddyConf, parseMaddyConf } from "./maddy-conf.ts";
import { type Converted, convertMaddyConf } from "./maddy-toml.ts";
import { type ConfigPlace, type LeftBehind, SourceError } from "./source.ts";

export interface ForeignConfig {
  path: string;
  domains: readonly Domain[];
  databases: Converted["databases"];
  messageStore: string | undefined;
  tls: { cert: string; key: string } | undefined;
  notTaken: readonly LeftBehind[];
  text: (place: ConfigPlace) => string;
}

/** @throws {SourceError} when the file is named and not there, or can't be understood */
export function findConfig(stateDir: string, named: string | undefined): ForeignConfig | undefined {
  if (named !== undefined) return readForeignConfig(named);
  const name = basename(stateDir);
  // `/var/lib/madmail` goes with `/etc/madmail/madmail.conf`, in a copied system too.
  const index = stateDir.lastIndexOf(`/var/lib/${name}`);
  const system = index < 0 ? undefined : stateDir.slice(0, index);
  const places = [
    ...["madmail.conf", "maddy.conf", `${name}.conf`, "chatmail.toml"].map((file) => join(stateDir, file)),
    ...(system === undefined ? [] : [`${system}/etc/${name}/${name}.conf`]),
  ];
  const found = places.find((place) => existsSync(place));
  return found === undefined ? undefined : readForeignConfig(found);
}

/** The directives of a file in maddy's syntax. @throws {SourceError} */
export function readMaddyDirectives(path: string): readonly Directive[] {
  const text = readText(path);
  if (text === undefined) throw new SourceError(`${path}: cannot be read`);
  return fromMaddy(text, path).directives;
}

/** @throws {SourceError} */
export function readForeignConfig(path: string): ForeignConfig {
  const text = readText(path);
  if (text === undefined) throw new SourceError(`${path}: cannot be read`);
  const conf = path.endsWith(".toml") ? flatToml(text, path) : fromMaddy(text, path);
  const converted = convertMaddyConf(conf, path);
  const { toml } = converted;
  return {
    path,
    domains: converted.domains,
    databases: converted.databases,
    messageStore: converted.messageStore,
    tls: converted.tls,
    notTaken: converted.notTaken,
    text({ stateDir, tls }) {
      toml.set("", "state_dir", stateDir);
      if (tls !== undefined) {
        toml.set("tls", "mode", "file");
        toml.set("tls", "cert", tls.cert);
        toml.set("tls", "key", tls.key);
      }
      return toml.toString();
    },
  };
}

function fromMaddy(text: string, path: string): MaddyConf {
  return parseMaddyConf(text, path, {
    env: process.env,
    readFile: (name, from) =>
      readText(resolve(dirname(from), name)) ?? readText(resolve(dirname(path), name)),
  });
}

/** madmail 2's development file says with flat keys what maddy's syntax says with blocks: the same directives. */
const flatKeys: Readonly<Record<string, readonly [block: string, directive: string]>> = {
  turn_enable: ["imap", "turn_enable"],
  turn_server: ["imap", "turn_server"],
  turn_port: ["imap", "turn_port"],
  turn_secret: ["imap", "turn_secret"],
  turn_ttl: ["imap", "turn_ttl"],
  turn_realm: ["turn", "realm"],
  admin_web_path: ["chatmail", "admin_web_path"],
  language: ["chatmail", "language"],
  www_dir: ["chatmail", "www_dir"],
  auth_auto_create: ["auth.pass_table", "auto_create"],
  jit_domain: ["auth.pass_table", "jit_domain"],
};
const flatListeners: Readonly<Record<string, readonly [name: string, scheme: string]>> = {
  smtp_listen: ["smtp", "tcp"],
  submission_listen: ["submission", "tcp"],
  submission_tls_listen: ["submission", "tls"],
  imap_listen: ["imap", "tcp"],
  imap_tls_listen: ["imap", "tls"],
  http_listen: ["chatmail", "tcp"],
  http_tls_listen: ["chatmail", "tls"],
  turn_listen_udp: ["turn", "udp"],
};

function flatToml(text: string, file: string): MaddyConf {
  let table: Record<string, unknown>;
  try {
    table = parseToml(text);
  } catch (error) {
    throw new SourceError(`${file}: ${error instanceof Error ? error.message.split("\n")[0] : "not TOML"}`, {
      cause: error,
    });
  }
  const macros = new Map<string, string[]>();
  const directives: Directive[] = [];
  for (const [key, value] of Object.entries(table)) {
    const args = (Array.isArray(value) ? value : [value]).map(String);
    const line = text
      .slice(0, Math.max(0, text.search(new RegExp(`^\\s*${key}\\s*=`, "m"))))
      .split("\n").length;
    const [block, name] = flatKeys[key] ?? [];
    const [listener, scheme] = flatListeners[key] ?? [];
    const plain = { args, block: undefined, file, line };
    if (key === "primary_domain" || key === "local_domains" || key === "public_ip") {
      macros.set(
        key,
        args.flatMap((arg) => arg.split(/[\s,]+/)).filter((arg) => parseDomain(arg) !== undefined),
      );
    } else if (block !== undefined && name !== undefined) {
      directives.push({ name: block, args: [], block: [{ name, ...plain }], file, line });
    } else if (listener !== undefined) {
      const addresses = args.map((arg) => `${scheme}://${arg}`);
      directives.push({ name: listener, args: addresses, block: [], file, line });
    } else directives.push({ name: key, ...plain });
  }
  return { directives, macros };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
