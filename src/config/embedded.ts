/** Directories that the executable carries; from source they lie below the repository's root. */
import { join } from "node:path";

/** In a compiled program every module has the same directory: the root of the embedded files. */
const root = Bun.isStandaloneExecutable ? import.meta.dir : join(import.meta.dir, "..", "..");

/** @param name as `release/build.ts` names it */
export function embeddedDirectory(name: "drizzle" | "dist/panel"): string {
  return join(root, name);
}
