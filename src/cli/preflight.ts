/**
 * `preflight`, which only upgrades call: a new version looks whether it can live with this installation (on a copy of
 * the database), or, with --live, whether the relay that just started is this version and answers on its ports.
 */
import { defineCommand } from "citty";
import { controlCaller } from "../app/control.ts";
import { silentListeners } from "../app/upgrade/live.ts";
import { readConfig } from "../config/read.ts";
import { version } from "../core/version.ts";
import { closeDatabase, DatabaseError, openDatabase } from "../db/open.ts";
import { OperationError } from "../operations/operation.ts";
import type { Globals } from "./globals.ts";
import { configOf } from "./operate.ts";
import { CommandError, report } from "./output.ts";

export function preflightCommand(globals: Globals) {
  return defineCommand({
    meta: { name: "preflight", description: "What an upgrade asks a new version", hidden: true },
    args: {
      database: { type: "string", description: "A copy of the database; it will be migrated" },
      live: { type: "boolean", description: "Ask the running relay" },
    },
    async run({ args }) {
      if (args.live === true) await live(globals);
      else dry(globals, args.database);
      report(globals, "preflight", "ok", { version });
    },
  });
}

function dry(globals: Globals, copy: string | undefined): void {
  if (globals.config !== undefined) readConfig(globals.config, { stateDir: globals.stateDir });
  if (copy === undefined) return;
  try {
    const db = openDatabase(copy);
    const answer: unknown = db.$client.query("PRAGMA quick_check(1)").values()[0]?.[0];
    closeDatabase(db);
    if (answer !== "ok") throw new CommandError(`the database is damaged: ${String(answer)}`);
  } catch (error) {
    if (error instanceof DatabaseError) throw new CommandError(error.message, { cause: error });
    throw error;
  }
}

async function live(globals: Globals): Promise<void> {
  // Never on the state itself: a relay that falls over meanwhile would find it taken.
  const status = await controlCaller(configOf(globals).stateDir)
    .call("relay.status", {})
    .catch((error: unknown) => {
      if (error instanceof OperationError) throw new CommandError(error.message, { cause: error });
      throw error;
    });
  if (!status.running) throw new CommandError("the relay does not run");
  if (status.version !== version)
    throw new CommandError(`version ${status.version} runs instead of ${version}`);
  const silent = await silentListeners(status.listeners);
  if (silent.length > 0) throw new CommandError(`nothing answers on ${silent.join(", ")}`);
}
