/**
 * Where an installation keeps its parts. All of it follows from the program's name.
 *
 *   /usr/local/bin/NAME                 -> /opt/NAME/current/NAME
 *   /opt/NAME/current                   -> versions/0.1.0
 *   /opt/NAME/versions/0.1.0/NAME       the executable, and NAME.sig beside it
 *   /etc/NAME/NAME.toml                 the configuration
 *   /var/lib/NAME                       the state
 *   /etc/systemd/system/NAME.service    the service
 */
import { join } from "node:path";
import { systemConfig } from "../../config/locate.ts";

export interface Places {
  /** Of program, user, group, unit and directories. */
  readonly name: string;
  readonly link: string;
  /** Versions and the links to them. */
  readonly tree: string;
  readonly versions: string;
  /** Link to the version in use. */
  readonly current: string;
  /** Link to the version before, as long as an upgrade is not confirmed and after. */
  readonly previous: string;
  /** What an upgrade under way has done, so that it can be finished or undone. */
  readonly journal: string;
  readonly configDir: string;
  readonly configFile: string;
  readonly stateDir: string;
  readonly unit: string;
  readonly recoverUnit: string;
}

const UNIT_DIR = "/etc/systemd/system";

/** Paths as the installed system sees them; `Machine.at` says where they are for this process. */
export function placesOf(name: string, stateDir = `/var/lib/${name}`): Places {
  const tree = `/opt/${name}`;
  const configFile = systemConfig(name);
  return {
    name,
    link: `/usr/local/bin/${name}`,
    tree,
    versions: join(tree, "versions"),
    current: join(tree, "current"),
    previous: join(tree, "previous"),
    journal: join(tree, "upgrade.json"),
    configDir: join(configFile, ".."),
    configFile,
    stateDir,
    unit: join(UNIT_DIR, `${name}.service`),
    recoverUnit: join(UNIT_DIR, `${name}-recover.service`),
  };
}
