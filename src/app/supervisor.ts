/** What was begun, so that it ends in reverse, and what wants to hear of a new configuration, in order. */
import type { Config } from "../config/config.ts";
import type { Log } from "../log/events.ts";

/** What could not be taken. */
export interface Kept {
  /** For the operator. */
  notice: string;
  /** What is in force instead of what was asked for. */
  config: Config;
}

type Taken = void | string | Kept | undefined;

/** @returns what could not be taken, if only for the operator */
export type Reloader = (config: Config) => Taken | Promise<Taken>;

export class Supervisor {
  readonly #log: Log;
  readonly #undo: (() => void | Promise<void>)[] = [];
  readonly #reloaders: Reloader[] = [];
  #stopping: Promise<void> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Remembers how to end something that has begun. */
  onStop(undo: () => void | Promise<void>): void {
    this.#undo.push(undo);
  }

  onReload(reloader: Reloader): void {
    this.#reloaders.push(reloader);
  }

  /** Tells everyone, one after the other. @returns what is in force then, and what could not be taken */
  async reload(config: Config): Promise<{ config: Config; notices: string[] }> {
    const notices: string[] = [];
    let taken = config;
    for (const reloader of this.#reloaders) {
      const kept = await reloader(taken);
      if (typeof kept === "object") {
        notices.push(kept.notice);
        taken = kept.config;
      } else if (typeof kept === "string") notices.push(kept);
    }
    return { config: taken, notices };
  }

  /** Ends everything, last first; one that fails does not keep the others. Harmless when repeated. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    for (const step of this.#undo.splice(0).toReversed()) {
      try {
        await step();
      } catch (error) {
        this.#log.emit({ kind: "internalFault", where: "stop", error });
      }
    }
  }
}
