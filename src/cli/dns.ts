/** `madmail dns show|check`: the DNS records to publish, and what is wrong with those that are. */
import { type CommandDef, defineCommand } from "citty";
import { DkimKeyError, DkimKeys } from "../app/dkim-keys.ts";
import { createResolver } from "../app/federation.ts";
import { checkZone, type RecordFinding, type ZoneFacts, zoneLine, zoneRecords } from "../app/zone.ts";
import type { Config } from "../config/config.ts";
import { readConfig } from "../config/read.ts";
import { systemClock } from "../core/clock.ts";
import { existingConfig } from "./config.ts";
import type { Globals } from "./globals.ts";
import { CommandError, report } from "./output.ts";

const NOTHING = "This relay is an IP address only: there is nothing to publish.";

export function dnsCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: { name: "dns", description: "Print the DNS records this relay wants, or check them" },
    subCommands: {
      show: defineCommand({
        meta: { name: "show", description: "Print the records, ready to copy into a zone file" },
        run() {
          const { zone } = openZone(globals);
          const records = zoneRecords(zone);
          const lines = records.map((record) => `; ${record.need}: ${record.why}\n${zoneLine(record)}`);
          report(globals, "dns show", lines.join("\n") || NOTHING, { records });
        },
      }),
      check: defineCommand({
        meta: {
          name: "check",
          description: "Say what the DNS lacks; exit code 1 when something required is",
        },
        async run() {
          const { zone, config } = openZone(globals);
          const finding = await checkZone(zone, createResolver(config, systemClock));
          report(globals, "dns check", finding.records.map(renderFinding).join("\n") || NOTHING, finding);
          if (!finding.ok) process.exitCode = 1;
        },
      }),
    },
  });
}

function openZone(globals: Globals): { zone: ZoneFacts; config: Config } {
  const { config, keys } = openKeys(globals);
  return { config, zone: { config, keys: keys.all(), signing: (domain) => keys.signing(domain) } };
}

/** Configuration and keys; the keys are made when the relay never ran. @throws {CommandError} */
export function openKeys(globals: Globals): { config: Config; keys: DkimKeys } {
  const config = readConfig(existingConfig(globals), { stateDir: globals.stateDir });
  try {
    return { config, keys: DkimKeys.open(config.stateDir, systemClock) };
  } catch (error) {
    if (error instanceof DkimKeyError) throw new CommandError(error.message, { cause: error });
    throw error;
  }
}

function renderFinding(record: RecordFinding): string {
  const { state, need, name, type, found } = record;
  const line = `${state.padEnd(10)}${need.padEnd(12)}${type.padEnd(6)}${name}`;
  if (state === "ok" || state === "unchecked") return line;
  const said = found === undefined ? [] : found.map((text) => `    found:  ${text}`);
  return [line, ...said, `    wanted: ${zoneLine(record)}`].join("\n");
}
