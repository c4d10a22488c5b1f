/** The name of this machine's kind in the file names of releases: `linux-x64`, `linux-arm64-musl`. */
import { readdirSync } from "node:fs";

export function platformName(): string {
  const system = process.platform === "win32" ? "windows" : process.platform;
  return `${system}-${process.arch}${system === "linux" && !hasGlibc() ? "-musl" : ""}`;
}

/** Its loader has the same name everywhere, in one of these places. */
function hasGlibc(): boolean {
  return ["/lib64", "/lib", "/usr/lib64", "/usr/lib", "/lib/aarch64-linux-gnu", "/lib/x86_64-linux-gnu"].some(
    (dir) => {
      try {
        return readdirSync(dir).some((name) => name.startsWith("ld-linux"));
      } catch {
        return false;
      }
    },
  );
}
