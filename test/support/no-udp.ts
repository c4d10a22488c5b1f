/** Programs that cannot send datagrams, so that what they exchange must go through a relay (Linux, Python 3). */
import { resolve } from "node:path";

/** Stands before a command; see no-udp.py. */
export const withoutUdp = ["python3", resolve(import.meta.dir, "no-udp.py")];

/** Why datagrams cannot be blocked here, for `test.skipIf`; undefined when they can. */
export function noUdpMissing(): boolean {
  if (process.platform !== "linux" || Bun.which("python3") === null) return true;
  return Bun.spawnSync([...withoutUdp, "true"]).exitCode !== 0;
}
