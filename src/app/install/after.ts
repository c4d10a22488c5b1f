/** What an operator wants to know once the relay is in place: records to publish, firewall, the first account. */
import { existsSync } from "node:fs";
import type { Config } from "../../config/config.ts";
import { parseAddress } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import { generateName, generatePassword, systemRandom } from "../../auth/names.ts";
import { OperationError } from "../../operations/operation.ts";
import { controlCaller } from "../control.ts";
import { DkimKeys } from "../dkim-keys.ts";
import { createResolver } from "../federation.ts";
import { plannedLink } from "../operator.ts";
import { checkZone, type RecordFinding, type ZoneFacts, type ZoneRecord, zoneRecords } from "../zone.ts";
import { at, type Machine } from "./machine.ts";
import type { Places } from "./places.ts";

/** Records of a relay whose keys are made already; without keys where they are not. */
export function recordsFor(machine: Machine, places: Places, config: Config, clock: Clock): ZoneRecord[] {
  return zoneRecords(zoneOf(machine, places, config, clock));
}

/** What the DNS says of them now. */
export async function recordFindings(
  machine: Machine,
  places: Places,
  config: Config,
  clock: Clock,
): Promise<readonly RecordFinding[]> {
  return (await checkZone(zoneOf(machine, places, config, clock), createResolver(config, clock))).records;
}

/**
 * A link with credentials that become an account at the first login.
 * @returns undefined where accounts are not made at login
 */
export function firstAccount(config: Config): string | undefined {
  const { domains, accounts } = config;
  if (!accounts.create_at_login || accounts.registration !== "open") return undefined;
  const address = parseAddress(`${generateName(systemRandom, accounts)}@${domains[0]}`);
  if (address === undefined) return undefined;
  return plannedLink(config, { address, password: generatePassword(systemRandom, accounts) });
}

/** A link that opens the admin panel of the relay that was just started; undefined where there is no panel. */
export async function panelLink(config: Config): Promise<string | undefined> {
  try {
    return (await controlCaller(config.stateDir).call("admin.loginLink", {})).link;
  } catch (error) {
    if (error instanceof OperationError) return undefined;
    throw error;
  }
}

function zoneOf(machine: Machine, places: Places, config: Config, clock: Clock): ZoneFacts {
  const stateDir = at(machine, places.stateDir);
  // Looking must not make keys: a dry run changes nothing.
  if (!existsSync(`${stateDir}/dkim/keys.json`)) return { config, keys: [], signing: () => [] };
  const keys = DkimKeys.open(stateDir, clock);
  return { config, keys: keys.all(), signing: (domain) => keys.signing(domain) };
}
