/** Where `madmail` looks for its configuration when none is named. */
import { existsSync } from "node:fs";

const SYSTEM_CONFIG = "/etc/madmail/madmail.toml";
export const LOCAL_CONFIG = "data/madmail.toml";

/** The first that is there: $MADMAIL_CONFIG (even if absent on disk: the reader then says so), system, local. */
export function locateConfig(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = env["MADMAIL_CONFIG"];
  if (named !== undefined && named !== "") return named;
  return [SYSTEM_CONFIG, LOCAL_CONFIG].find((path) => existsSync(path));
}
