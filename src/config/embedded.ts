/** Directories that the executable carries; from source they lie below the repository's root. */
import { basename, join } from "node:path";

/** @param path from the repository's root; in the executable its last part stands at the root of the embedded files */
export function embeddedDirectory(path: "drizzle" | "dist/panel"): string {
  if (Bun.isStandaloneExecutable) return join(import.meta.dir, basename(path));
  return join(import.meta.dir, "..", "..", path);
}
