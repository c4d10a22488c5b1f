/** The REST API where the environment asks for it, on listeners of its own. */
import { restRoutes } from "../http/rest/routes.ts";
import { RestServer } from "../http/rest/server.ts";
import { readRestSettings, RestSettingsError } from "../http/rest/settings.ts";
import type { Operations } from "../operations/operations.ts";
import type { Ground } from "./ground.ts";
import { StartError } from "./relay-facts.ts";
import type { Supervisor } from "./supervisor.ts";

/** @returns `host:port` as bound @throws {StartError} with a message for the operator */
export function openRest(ground: Ground, supervisor: Supervisor, operations: Operations): string[] {
  const { config, clock, log } = ground;
  try {
    const settings = readRestSettings(process.env);
    if (settings === undefined) return [];
    const { listen } = config().rest;
    const server = new RestServer({
      listen,
      settings,
      routes: restRoutes,
      operations: operations.as("rest"),
      clock,
      log,
    });
    server.start();
    supervisor.onStop(() => server.stop());
    return server.bound();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const where = error instanceof RestSettingsError ? "" : "rest.listen: ";
    throw new StartError(`${where}${text}`, { cause: error });
  }
}
