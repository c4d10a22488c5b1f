/**
 * Settings: what operators change at run time. They are kept in the database under the `__KEY__` names of other madmail
 * versions, and beat the file. `applySettings` is the one place where file and settings meet; what a setting can't
 * say (unreadable text, a contradiction) is left to the file.
 */
import { type Config, deepFreeze } from "./config.ts";
import type { Draft, Setting } from "./setting.ts";
import { settingTable } from "./setting-table.ts";

/** What the database has, by key. */
export type SettingLookup = (key: string) => string | undefined;

const byName: ReadonlyMap<string, Setting> = new Map(settingTable.map((each) => [each.name, each]));

/** In the order of their application. */
export const settings: readonly Setting[] = settingTable;

/** @param name as faces call it, or the key */
export function settingNamed(name: string): Setting | undefined {
  return byName.get(name) ?? settingTable.find(({ key }) => key === name);
}

/** The configuration in force: what `config` says, and settings over it. */
export function applySettings(config: Config, get: SettingLookup): Config {
  const draft = overlay(config, get);
  if (contradictions(draft).length > 0) {
    const { listen, relay_port_min, relay_port_max } = structuredClone(config.turn) as Draft["turn"];
    Object.assign(draft.turn, { listen, relay_port_min, relay_port_max });
  }
  return deepFreeze(draft) as Config;
}

/** What is wrong with these settings together, for the operator. */
export function settingFaults(config: Config, get: SettingLookup): string[] {
  const before = portQuarrel(applySettings(config, () => undefined));
  const wanted = overlay(config, get);
  const quarrel = portQuarrel(wanted);
  return [...contradictions(wanted), ...(quarrel === undefined || quarrel === before ? [] : [quarrel])];
}

function overlay(config: Config, get: SettingLookup): Draft {
  const draft = structuredClone(config) as Draft;
  for (const setting of settingTable) {
    const text = get(setting.key);
    if (text !== undefined) setting.apply(draft, text);
  }
  return draft;
}

/** What can't be had at the same time, for the operator. */
function contradictions({ turn }: Config | Draft): string[] {
  const { relay_port_min: min, relay_port_max: max } = turn;
  const found: string[] = [];
  if (min > max) found.push(`turn_relay_port_min must be <= turn_relay_port_max, found ${min} and ${max}`);
  const inside = turn.listen.find(({ port }) => port >= min && port <= max);
  if (inside !== undefined) {
    found.push(`turn_port ${inside.port} is inside the range of relayed ports, ${min} to ${max}`);
  }
  return found;
}

/** Two services can't have one TCP port. @returns for the operator; undefined where there is no quarrel */
function portQuarrel(config: Config | Draft): string | undefined {
  const owners = new Map<number, string>();
  const places: [string, readonly { port: number }[]][] = [
    ...Object.entries(config.listen),
    ["turn", config.turn.enabled ? config.turn.listen : []],
    ["iroh", config.iroh.listen],
    ["shadowsocks", config.shadowsocks.enabled ? config.shadowsocks.listen : []],
  ];
  for (const [name, addresses] of places) {
    for (const port of new Set(addresses.map((address) => address.port))) {
      const owner = owners.get(port);
      if (port !== 0 && owner !== undefined) return `port ${port} would be both ${owner} and ${name}`;
      owners.set(port, name);
    }
  }
  return undefined;
}
