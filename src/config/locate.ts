/** Where the program looks for its configuration when none is named. */
import { existsSync } from "node:fs";
import { programName } from "./program.ts";

export const LOCAL_CONFIG = "data/madmail.toml";

/** Where `install` puts the configuration of a program called `name`. */
export function systemConfig(name = programName): string {
  return `/etc/${name}/${name}.toml`;
}

/** The first that is there: $MADMAIL_CONFIG (even if absent on disk: the reader then says so), system, local. */
export function locateConfig(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = env["MADMAIL_CONFIG"];
  if (named !== undefined && named !== "") return named;
  return [systemConfig(), LOCAL_CONFIG].find((path) => existsSync(path));
}
