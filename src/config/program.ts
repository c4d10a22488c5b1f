/**
 * What this program is called here. An operator may rename the executable before installing it; every path, unit and
 * user is then derived from that name, and nothing on the machine says madmail.
 */
import { basename } from "node:path";

const DEFAULT_NAME = "madmail";
/** What `useradd` and systemd both take. */
const NAME = /^[a-z][a-z0-9_-]{0,30}$/;
/** What release files carry behind the name: `-0.1.0-linux-x64`, and `.exe`. */
const RELEASE_SUFFIX = /-\d+\.\d+\.\d+.*$|\.exe$/;

/** The name behind `argv0`, or `madmail` where it is none that could be used. */
export function nameFrom(argv0: string): string {
  const name = basename(argv0).replace(RELEASE_SUFFIX, "");
  return isProgramName(name) ? name : DEFAULT_NAME;
}

export function isProgramName(name: string): boolean {
  return NAME.test(name);
}

/** From the source the program is Bun's child, not a file of its own. */
export const programName = Bun.isStandaloneExecutable ? nameFrom(process.argv0) : DEFAULT_NAME;
