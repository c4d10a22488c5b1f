/**
 * Changes the version in use, and goes back by itself when the new one is no good.
 *
 * Invariants
 * - Until the link `current` moves, nothing that the running relay uses has changed; it moves in one go.
 * - From before that until the new version has been seen working there is a journal, by which `recover` finishes or
 *   undoes what a crash interrupted: by the next command, or by systemd when the relay does not start.
 * - The database is given back only if the new version changed its tables: then what was written since the copy is lost.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import { lockStateDirectory } from "../../db/lock.ts";
import { DatabaseError } from "../../db/open.ts";
import { at, type CommandResult, InstallError, type Machine } from "../install/machine.ts";
import type { Places } from "../install/places.ts";
import type { RunOptions, Step } from "../install/steps.ts";
import { runSteps } from "../install/steps.ts";
import { VersionTree } from "../install/tree.ts";
import { copyDatabase, restoreDatabase, wasMigrated } from "./database-copy.ts";
import { type Journal, readJournal, removeJournal, writeJournal } from "./journal.ts";
import { Service } from "./service.ts";

const BACKUPS_KEPT = 3;
const LIVE_TRIES = 20;
const LIVE_RETRY_MS = 500;

export interface UpgradeParts {
  machine: Machine;
  places: Places;
  /** Of the installation; undefined where it has none yet. */
  config: Config | undefined;
  clock: Clock;
  wait: (ms: number) => Promise<void>;
}

export interface Incoming {
  /** Checked: signed, and it says which version it is. */
  executable: string;
  version: string;
}

export class Upgrade {
  readonly tree: VersionTree;
  readonly #parts: UpgradeParts;
  readonly #service: Service;

  constructor(parts: UpgradeParts) {
    this.#parts = parts;
    this.tree = new VersionTree(parts.machine, parts.places);
    this.#service = new Service(parts);
  }

  /** Where downloads and trial copies go: on the disk of the versions, out of the service's reach. */
  get workDir(): string {
    return this.#at(join(this.#parts.places.tree, "work"));
  }

  /** One change at a time. @returns the function that lets go @throws {InstallError} while another is under way */
  lock(): () => void {
    const dir = this.#at(this.#parts.places.tree);
    if (!existsSync(dir)) throw new InstallError(`nothing is installed in ${dir}`);
    try {
      return lockStateDirectory(dir);
    } catch (error) {
      if (!(error instanceof DatabaseError) || error.fault !== "busy") throw error;
      throw new InstallError("another change of versions is under way", { cause: error });
    }
  }

  /** Removes what downloads and trials have left. */
  tidy(): void {
    rmSync(this.workDir, { recursive: true, force: true });
  }

  /** Whether an upgrade is under way or was interrupted. */
  get isPending(): boolean {
    return readJournal(this.#journal) !== undefined;
  }

  /** Whether the relay will be started anew by this, rather than by its operator. */
  get isManaged(): boolean {
    return this.#service.isManaged;
  }

  /**
   * Asks a new version to open, migrate and check a copy of everything. Nothing of the installation changes.
   * @throws {InstallError} with what it complained about
   */
  async preflight(executable: string): Promise<void> {
    const { machine, places, config } = this.#parts;
    if (config === undefined) return;
    mkdirSync(this.workDir, { recursive: true, mode: 0o700 });
    const copy = join(this.workDir, "preflight.db");
    try {
      const database = this.#database();
      const onCopy = database === undefined ? [] : ["--database", copy];
      if (database !== undefined) copyDatabase(database, copy);
      const file = at(machine, places.configFile);
      const { code, output } = await machine.run([executable, "preflight", "--config", file, ...onCopy]);
      if (code !== 0) throw new InstallError(`the new version refuses this installation:\n${output.trim()}`);
    } finally {
      for (const end of ["", "-wal", "-shm"]) rmSync(`${copy}${end}`, { force: true });
    }
  }

  /**
   * Takes a version into use: the steps, and the way back when one fails.
   * @throws {InstallError} saying what went wrong, and that the version before is back
   */
  async take(incoming: Incoming, options: RunOptions): Promise<void> {
    try {
      await runSteps(await this.steps(incoming), options);
    } catch (error) {
      if (!(error instanceof InstallError) && !isOfTheSystem(error)) throw error;
      const why = error.message;
      if (!this.isPending) throw new InstallError(`${why}\nNothing was changed.`, { cause: error });
      const back = await this.#rollBack();
      throw new InstallError(`${why}\n${back}`, { cause: error });
    }
  }

  async steps({ executable, version }: Incoming): Promise<Step[]> {
    const { places, clock } = this.#parts;
    const from = this.tree.current();
    if (from === undefined) throw new InstallError(`nothing is installed: see \`${places.name} install\``);
    const to = await this.tree.nameFor(executable, version);
    const wasActive = await this.#service.isActive();
    const database = this.#database();
    const stamp = new Date(clock.nowMs()).toISOString().replaceAll(/[-:]|\.\d+/g, "");
    const backup =
      database === undefined ? null : this.#at(join(places.tree, "backups", `${stamp}-${from}.db`));
    const always = () => false;
    const placed: Step = {
      name: `version ${to} in ${places.versions}`,
      isDone: () => this.tree.has(to),
      apply: () => this.tree.place(executable, to),
    };
    const saved: Step = {
      name: "copy of the database to go back to",
      isDone: () => database === undefined || backup === null,
      apply() {
        if (database !== undefined && backup !== null) copyDatabase(database, backup);
        return backup === null ? undefined : `it is ${backup}`;
      },
    };
    const noted: Step = {
      name: "note of what is under way",
      isDone: always,
      apply: () => writeJournal(this.#journal, { from, to, backup, wasActive, startedAtMs: clock.nowMs() }),
    };
    const switched: Step = {
      name: `${places.current} -> ${to}`,
      isDone: () => this.tree.current() === to,
      apply: () => this.tree.use(to),
    };
    return [placed, saved, noted, switched, ...(wasActive ? this.#watchSteps() : []), this.#confirmStep()];
  }

  /**
   * Finishes or undoes what was interrupted: finished if the new version is in use and works, undone otherwise.
   * @returns what was done, for the operator; undefined when there was nothing to do
   */
  async recover(): Promise<string | undefined> {
    const journal = readJournal(this.#journal);
    if (journal === undefined) {
      removeJournal(this.#journal);
      return undefined;
    }
    if (this.tree.current() === journal.to && (!journal.wasActive || (await this.#works()))) {
      this.#confirm();
      return `the interrupted change to ${journal.to} is finished`;
    }
    return this.#rollBack();
  }

  #watchSteps(): Step[] {
    const always = () => false;
    const { name } = this.#parts.places;
    return [
      {
        name: `${name} starts anew`,
        isDone: always,
        apply: () => this.#service.restart(),
      },
      {
        name: `${name} is ready`,
        isDone: always,
        apply: () => this.#service.becomesReady(),
      },
      { name: `${name} answers`, isDone: always, apply: () => this.#answers() },
      { name: `${name} stays up`, isDone: always, apply: () => this.#service.staysUp() },
    ];
  }

  #confirmStep(): Step {
    return {
      name: "the new version is confirmed",
      isDone: () => !this.isPending,
      apply: () => {
        this.#confirm();
        const { name } = this.#parts.places;
        return this.isManaged
          ? undefined
          : `nothing was restarted: do that to have ${name} run the new version`;
      },
    };
  }

  #confirm(): void {
    removeJournal(this.#journal);
    const backups = this.#at(join(this.#parts.places.tree, "backups"));
    if (!existsSync(backups)) return;
    // Names begin with the time.
    const old = readdirSync(backups).sort().slice(0, -BACKUPS_KEPT);
    for (const name of old) rmSync(join(backups, name), { force: true });
  }

  /** The version in use is asked to look at itself. @throws {InstallError} when it does not answer as it should */
  async #answers(): Promise<void> {
    for (let tries = 1; ; tries++) {
      const { code, output } = await this.#look();
      if (code === 0) return;
      if (tries >= LIVE_TRIES)
        throw new InstallError(`the new version runs but does not work:\n${output.trim()}`);
      await this.#parts.wait(LIVE_RETRY_MS);
    }
  }

  #look(): Promise<CommandResult> {
    const { machine, places } = this.#parts;
    const current = this.tree.current();
    if (current === undefined) throw new InstallError("there is no version in use");
    const file = at(machine, places.configFile);
    return machine.run([this.tree.executable(current), "preflight", "--live", "--config", file]);
  }

  /** Whether the version in use runs, after starting it if the interruption came before that. */
  async #works(): Promise<boolean> {
    if ((await this.#look()).code === 0) return true;
    try {
      await this.#service.restart();
      await this.#service.becomesReady();
      await this.#answers();
      return true;
    } catch (error) {
      if (error instanceof InstallError) return false;
      throw error;
    }
  }

  /** Every part may be repeated: a crash in here is mended by the next `recover`. */
  async #rollBack(): Promise<string> {
    const journal = readJournal(this.#journal);
    if (journal === undefined) return "Nothing was changed.";
    const isSwitched = this.tree.current() !== journal.from;
    const lost = isSwitched ? await this.#undo(journal) : undefined;
    if (journal.wasActive) await this.#service.start();
    removeJournal(this.#journal);
    if (!isSwitched) return `Nothing was changed: ${journal.from} is in use.`;
    return `Version ${journal.from} is back in use${lost ?? ""}.`;
  }

  async #undo({ from, backup, wasActive }: Journal): Promise<string | undefined> {
    if (this.isManaged && wasActive) await this.#service.stop();
    const database = this.#database();
    const isChanged =
      database !== undefined && backup !== null && existsSync(backup) && wasMigrated(database, backup);
    if (isChanged) restoreDatabase(backup, database);
    this.tree.goBack(from);
    return isChanged ? `, with the database as it was before: ${backup}` : undefined;
  }

  #database(): string | undefined {
    const { config } = this.#parts;
    if (config === undefined) return undefined;
    const path = this.#at(join(config.stateDir, "madmail.db"));
    return existsSync(path) ? path : undefined;
  }

  get #journal(): string {
    return this.#at(this.#parts.places.journal);
  }

  #at(path: string): string {
    return at(this.#parts.machine, path);
  }
}

/** A full disk and the like: a step that failed, not a mistake of this program. */
function isOfTheSystem(error: unknown): error is Error {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}

/** What an executable says it is. It must be signed by then: this runs it. @throws {InstallError} */
export async function versionOf(machine: Machine, executable: string): Promise<string> {
  const { code, output } = await machine.run([executable, "--json", "version"]);
  const version = /"version":"([^"]+)"/.exec(output)?.[1];
  if (code === 0 && version !== undefined) return version;
  throw new InstallError(
    `the new version does not run on this machine: ${output.trim() || `exit code ${code}`}`,
  );
}
