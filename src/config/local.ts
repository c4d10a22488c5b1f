/**
 * The configuration of a relay that nobody configured: `./data/madmail.toml`, written once, so that the relay
 * keeps its name and ports from then on and the operator has a file to edit.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { dirname } from "node:path";
import type { ListenerName } from "./config.ts";
import { LOCAL_CONFIG } from "./locate.ts";

/** RFC 8656 §18.1; no privilege needed, but another program may have it. */
const TURN_PORT = 3478;

type Ports = Record<ListenerName, number>;

/** The ports clients try by themselves. */
const standardPorts: Ports = {
  smtp: 25,
  submission: 587,
  submissions: 465,
  imap: 143,
  imaps: 993,
  http: 80,
  https: 443,
};
/** Ports anybody may bind. */
const unprivilegedPorts: Ports = {
  smtp: 2525,
  submission: 2587,
  submissions: 2465,
  imap: 2143,
  imaps: 2993,
  http: 2080,
  https: 2443,
};

export interface LocalConfig {
  path: string;
  /** Lines for the operator about choices made on the way. */
  notices: string[];
}

/**
 * Writes the file if it is not there.
 * @param canBind tells whether this process may listen on a TCP port now
 * @param canBindUdp the same for UDP
 */
export async function ensureLocalConfig(
  canBind: (port: number) => Promise<boolean>,
  canBindUdp: (port: number) => Promise<boolean>,
): Promise<LocalConfig> {
  const path = LOCAL_CONFIG;
  if (existsSync(path)) return { path, notices: [] };
  const address = outwardAddress();
  const usable = await Promise.all(Object.values(standardPorts).map(canBind));
  const ports = usable.every(Boolean) ? standardPorts : unprivilegedPorts;
  const hasTurn = (await canBindUdp(TURN_PORT)) && (await canBind(TURN_PORT));
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, localConfigText(address, ports, hasTurn), { mode: 0o600, flag: "wx" });
  const notices = [`No configuration found: wrote ${path} for a relay at [${address}]`];
  if (!hasTurn) notices.push(`Port ${TURN_PORT} is taken: calls are off until [turn] says otherwise`);
  return { path, notices };
}

/** The text of that file. */
function localConfigText(address: string, ports: Ports, hasTurn: boolean): string {
  const listen = Object.entries(ports).map(([name, port]) => `${name} = ["0.0.0.0:${port}"]`);
  return `# Written at the first start. \`madmail config sample\` prints every key with its meaning.
state_dir = "."
hostname = "[${address}]"
domains = ["[${address}]"]

[listen]
${listen.join("\n")}

[turn]
${hasTurn ? `listen = ["0.0.0.0:${TURN_PORT}"]` : "enabled = false"}
`;
}

/** The first IPv4 address that others can reach, so that a phone on the same network can use the link. */
function outwardAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find((a) => a.family === "IPv4" && !a.internal)?.address ?? "127.0.0.1";
}
