/** The relay as a systemd service: whether it runs, starting it anew, and whether it stays up. */
import { existsSync } from "node:fs";
import { at, InstallError, type Machine, mustRun } from "../install/machine.ts";
import type { Places } from "../install/places.ts";

/** Until a relay that was started must say that it is ready. */
const READY_DEADLINE_MS = 120_000;
const LOOK_EVERY_MS = 300;
/** Between stop and start a unit is inactive for a moment; for longer, the relay has ended by itself. */
const INACTIVE_MAX_MS = 10_000;
/** It must still be the same process after that. */
const SETTLE_MS = 3000;

export interface ServiceParts {
  machine: Machine;
  places: Places;
  /** Lets time go by. */
  wait: (ms: number) => Promise<void>;
}

interface State {
  active: string;
  pid: string;
  restarts: number;
}

export class Service {
  readonly #parts: ServiceParts;
  /** Of the process that `restart` replaces: while that is there, the new one is not. */
  #oldPid: string | undefined;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  /** Whether systemd runs this relay, now or at other times. */
  get isManaged(): boolean {
    const { machine, places } = this.#parts;
    return machine.hasSystemd && existsSync(at(machine, places.unit));
  }

  async isActive(): Promise<boolean> {
    return this.isManaged && /^(active|activating|reloading)$/.test((await this.#state()).active);
  }

  /** One job of systemd's: it is done whatever becomes of us. */
  async restart(): Promise<void> {
    this.#oldPid = (await this.#state()).pid;
    await this.#forgetFailures();
    await this.#systemctl("restart", "--no-block");
  }

  async stop(): Promise<void> {
    await this.#systemctl("stop");
  }

  async start(): Promise<void> {
    await this.#forgetFailures();
    await this.#systemctl("start", "--no-block");
  }

  /** Waits until it is ready. @throws {InstallError} when it does not come to that */
  async becomesReady(): Promise<void> {
    const { places, wait } = this.#parts;
    let inactiveMs = 0;
    for (let waitedMs = 0; waitedMs < READY_DEADLINE_MS; waitedMs += LOOK_EVERY_MS) {
      const { active, restarts, pid } = await this.#state();
      if (active === "active" && pid !== this.#oldPid) return;
      inactiveMs = active === "inactive" ? inactiveMs + LOOK_EVERY_MS : 0;
      if (active === "failed" || restarts > 0 || inactiveMs > INACTIVE_MAX_MS) {
        throw new InstallError(`${places.name} does not start: see journalctl -u ${places.name}`);
      }
      await wait(LOOK_EVERY_MS);
    }
    throw new InstallError(`${places.name} is not ready after ${READY_DEADLINE_MS / 1000} s`);
  }

  /** Waits a while and looks whether it is still the same process. @throws {InstallError} when it is not */
  async staysUp(): Promise<void> {
    const { places, wait } = this.#parts;
    const before = await this.#state();
    await wait(SETTLE_MS);
    const after = await this.#state();
    if (after.active !== "active" || after.pid !== before.pid) {
      throw new InstallError(`${places.name} started and fell over: see journalctl -u ${places.name}`);
    }
  }

  async #state(): Promise<State> {
    const { machine, places } = this.#parts;
    const { output } = await machine.run([
      "systemctl",
      "show",
      "--property=ActiveState,MainPID,NRestarts",
      places.name,
    ]);
    const value = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(output)?.[1] ?? "";
    return { active: value("ActiveState"), pid: value("MainPID"), restarts: Number(value("NRestarts")) };
  }

  /** Also sets the count of restarts back to 0. */
  async #forgetFailures(): Promise<void> {
    const { machine, places } = this.#parts;
    await machine.run(["systemctl", "reset-failed", places.name]);
  }

  async #systemctl(verb: string, ...flags: string[]): Promise<void> {
    await mustRun(this.#parts.machine, ["systemctl", verb, ...flags, this.#parts.places.name]);
  }
}
