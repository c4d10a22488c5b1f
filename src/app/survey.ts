/** What the doctor can't find out by itself: the DNS records that are wanted, and who holds the ports. */
import type { Config } from "../config/config.ts";
import { applySettings } from "../config/settings.ts";
import { systemClock } from "../core/clock.ts";
import { runChecks, type CheckResult } from "../doctor/check.ts";
import { askPage } from "../doctor/ask.ts";
import { systemMachine } from "../doctor/machine.ts";
import { checkTable } from "../doctor/table.ts";
import type { World, ZoneRow } from "../doctor/world.ts";
import { DkimKeys } from "./dkim-keys.ts";
import { createResolver } from "./federation.ts";
import { describeTaken, takenPorts, wantedPorts } from "./install/ports.ts";
import { checkZone, zoneLine } from "./zone.ts";

export type Survey = Pick<World, "zone" | "takenPorts">;

export interface SurveyParts {
  config: () => Config;
  /** Those of the running relay; else they are read, and made where there are none. */
  keys?: DkimKeys;
}

export function createSurvey({ config, keys }: SurveyParts): Survey {
  return {
    takenPorts: () => takenPorts(wantedPorts(config())).map(describeTaken),
    async zone(): Promise<ZoneRow[]> {
      const book = keys ?? DkimKeys.open(config().stateDir, systemClock);
      const facts = { config: config(), keys: book.all(), signing: book.signing.bind(book) };
      // A resolver of its own: the relay's remembers what was not there before the operator published it.
      const { records } = await checkZone(facts, createResolver(config(), systemClock));
      return records.map((record) => ({ ...record, line: zoneLine(record), found: record.found ?? [] }));
    },
  };
}

/** The checks that need no state directory, where it can't be opened. @param why it can't, for the operator */
export function checkWithoutBooks(
  config: Config,
  why: string,
  options: Pick<World, "mayAsk" | "peer">,
): Promise<CheckResult[]> {
  const inForce = applySettings(config, () => undefined);
  return runChecks(checkTable, {
    ...createSurvey({ config: () => inForce }),
    ...options,
    config: inForce,
    clock: systemClock,
    machine: systemMachine(config.stateDir),
    closed: why,
    books: undefined,
    running: undefined,
    ask: askPage,
  });
}
