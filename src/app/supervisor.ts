/** What was begun, so that it ends in reverse, and what wants to hear of a new configuration, in order. */
import type { Config } from "../config/config.ts";
import type { Log } from "../log/events.ts";

/** @returns what could not be taken, for the operator */
export type Reloader = (config: Config) => void | string | undefined | Promise<void | string | undefined>;

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

  /** Tells everyone, one after the other. @returns what could not be taken, for the operator */
  async reload(config: Config): Promise<string[]> {
    const notices: string[] = [];
    for (const reloader of this.#reloaders) {
      const notice = await reloader(config);
      if (notice !== undefined) notices.push(notice);
    }
    return notices;
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
