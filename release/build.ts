/**
 * Builds dist/madmail for this machine. Needs no network. $MADMAIL_RELEASE_KEY (base64) and $MADMAIL_RELEASE_URL say
 * whose releases this build takes as upgrades; without them it takes none.
 */
import { join } from "node:path";
import { compile } from "./compile.ts";

const name = process.platform === "win32" ? "madmail.exe" : "madmail";
process.exitCode = await compile({
  outfile: join(import.meta.dir, "..", "dist", name),
  releaseKey: process.env["MADMAIL_RELEASE_KEY"],
  releaseUrl: process.env["MADMAIL_RELEASE_URL"],
});
