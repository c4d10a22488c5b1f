/**
 * How the command line reaches the queue of a running relay: it writes `<state>/queue/control/<name>.json`, the relay,
 * which watches the directory, does it, replaces the file by `<name>.done`, and the command reads that.
 * The directory belongs to the relay's user alone, as all of the state does.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { parseDomain } from "../core/address.ts";
import { parseJson } from "../core/json.ts";
import type { Selection } from "../delivery/queue/entry-index.ts";
import type { Queue } from "../delivery/queue/queue.ts";
import type { Log } from "../log/events.ts";

const REQUEST_MAX_BYTES = 4096;

export const controlRequest = z.strictObject({
  do: z.enum(["retry", "remove"]),
  what: z.union([z.literal("all"), z.string().min(1).max(300)]),
});
export type ControlRequest = z.output<typeof controlRequest>;

export const controlAnswer = z.strictObject({ count: z.number().int().nonnegative() });

export function controlDirectory(stateDir: string): string {
  return join(stateDir, "queue", "control");
}

/** Entry ids have a dot and a number at the end, which no domain has. */
export function selectionOf(what: string): Selection | undefined {
  if (what === "all") return "all";
  if (/^[0-9a-z]+-[0-9a-f-]+\.\d{1,6}$/.test(what)) return { id: what };
  const domain = parseDomain(what);
  return domain === undefined ? undefined : { domain };
}

export class QueueControl {
  readonly #directory: string;
  readonly #queue: Pick<Queue, "retry" | "drop">;
  readonly #log: Log;
  #watcher: fs.FSWatcher | undefined;

  constructor(stateDir: string, queue: Pick<Queue, "retry" | "drop">, log: Log) {
    this.#directory = controlDirectory(stateDir);
    this.#queue = queue;
    this.#log = log;
  }

  /** Where watching is not to be had, SIGHUP does. */
  start(): void {
    try {
      fs.mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      for (const name of fs.readdirSync(this.#directory)) {
        if (name.endsWith(".done")) fs.unlinkSync(join(this.#directory, name));
      }
      this.#watcher = fs.watch(this.#directory, { persistent: false }, () => this.look());
      this.#watcher.on("error", (error) => this.#fault(error));
    } catch (error) {
      this.#fault(error);
    }
    this.look();
  }

  stop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** Does what is asked for. Never throws. */
  look(): void {
    try {
      const names = fs.readdirSync(this.#directory).filter((name) => name.endsWith(".json"));
      for (const name of names.sort()) this.#answer(join(this.#directory, name));
    } catch (error) {
      this.#fault(error);
    }
  }

  #answer(path: string): void {
    const text = fs.statSync(path).size > REQUEST_MAX_BYTES ? "" : fs.readFileSync(path, "utf8");
    const request = controlRequest.safeParse(parseJson(text));
    const count = request.success ? this.#act(request.data) : 0;
    fs.writeFileSync(`${path}.new`, JSON.stringify({ count }), { mode: 0o600 });
    fs.unlinkSync(path);
    fs.renameSync(`${path}.new`, path.replace(/\.json$/, ".done"));
  }

  #act(request: ControlRequest): number {
    const selection = selectionOf(request.what);
    if (selection === undefined) return 0;
    return request.do === "retry" ? this.#queue.retry(selection) : this.#queue.drop(selection);
  }

  #fault(error: unknown): void {
    this.#log.emit({ kind: "internalFault", where: "queue control", error });
  }
}
