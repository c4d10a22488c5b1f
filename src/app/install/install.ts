/** `install` as a whole: what is there, what was chosen, what stands in the way, the steps, what comes after. */
import { existsSync, readFileSync } from "node:fs";
import { type Config, ConfigError } from "../../config/config.ts";
import { configFromText } from "../../config/read.ts";
import type { Clock } from "../../core/clock.ts";
import { type Choices, configText } from "./choices.ts";
import { at, InstallError, type Machine } from "./machine.ts";
import { installSteps, type PlanParts, type ProgramFile } from "./plan.ts";
import { type Places, placesOf } from "./places.ts";
import { describeTaken, takenPorts, wantedPorts } from "./ports.ts";
import { type RunOptions, runSteps } from "./steps.ts";
import { VersionTree } from "./tree.ts";

export interface Installation {
  machine: Machine;
  places: Places;
  /** What will be in force: the file that is there, or the one that will be. */
  config: Config;
  configText: string;
  /** Whether a configuration was there before. */
  isConfigured: boolean;
  parts: PlanParts;
}

/** The configuration of an earlier installation; undefined when there is none. @throws {InstallError} on a broken one */
export function existingConfig(
  machine: Machine,
  places: Places,
): { text: string; config: Config } | undefined {
  const file = at(machine, places.configFile);
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, "utf8");
  try {
    return { text, config: configFromText(text, places.configFile) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new InstallError(`there is a configuration already, and it can't be used:\n${error.message}`, {
      cause: error,
    });
  }
}

/**
 * Puts together what will be installed. Changes nothing.
 * @param choose asked only where there is no configuration yet
 * @throws {InstallError | ConfigError}
 */
export async function prepare(
  options: {
    machine: Machine;
    name: string;
    stateDir: string | undefined;
    program: ProgramFile;
    clock: Clock;
  },
  choose: (stateDir: string) => Choices | Promise<Choices>,
): Promise<Installation> {
  const { machine, name, program, clock } = options;
  const standard = placesOf(name, options.stateDir);
  const kept = existingConfig(machine, standard);
  if (kept !== undefined) {
    const { config, text } = kept;
    const places = placesOf(name, config.stateDir);
    const parts = { machine, places, program, clock };
    return { machine, places, config, configText: text, isConfigured: true, parts };
  }
  const choices = await choose(standard.stateDir);
  const text = configText(choices);
  const config = configFromText(text, standard.configFile);
  const parts = { machine, places: standard, program, clock };
  return { machine, places: standard, config, configText: text, isConfigured: false, parts };
}

/** What stands in the way, one line each; nothing has been changed yet. */
export function obstacles({ machine, places, config }: Installation): string[] {
  if (machine.root !== "/") return [];
  const own = at(machine, places.tree);
  return takenPorts(wantedPorts(config))
    .filter(({ holder }) => holder?.executable?.startsWith(`${own}/`) !== true)
    .map(describeTaken);
}

/** A version that is there already and is another: that is an upgrade's business, with its checks and its way back. */
export async function versionInUse({ machine, places, parts }: Installation): Promise<string | undefined> {
  const tree = new VersionTree(machine, places);
  const current = tree.current();
  if (current === undefined || !tree.has(current)) return undefined;
  const { executable, version } = parts.program;
  return current === (await tree.nameFor(executable, version)) ? undefined : current;
}

/** Makes it so. Running it again finishes what was interrupted. @throws {InstallError} when a step fails */
export async function apply(
  installation: Installation,
  manage: { units: boolean; start: boolean },
  options: RunOptions,
): Promise<void> {
  const { parts } = installation;
  await runSteps(installSteps(parts, installation, manage), options);
}
