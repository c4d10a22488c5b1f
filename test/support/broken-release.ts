/**
 * A release that looks well until it runs: it says its version, finds the installation fine, then changes the database
 * as newer versions do, and crashes. Built and signed like a real one.
 */
import { Database } from "bun:sqlite";
import { readFileSync } from "node:fs";
import { version } from "../../src/core/version.ts";

export const brokenRelease = import.meta.path;

function main(args: readonly string[]): void {
  if (args.includes("version")) {
    console.log(JSON.stringify({ ok: true, command: "version", data: { version } }));
  } else if (args.includes("run")) {
    const config = readFileSync(args[args.indexOf("--config") + 1] ?? "", "utf8");
    const stateDir = /^state_dir = "(.*)"$/m.exec(config)?.[1] ?? "";
    const db = new Database(`${stateDir}/madmail.db`);
    db.run("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('broken', 9999999999999)");
    db.close();
    process.exit(1);
  }
}

if (import.meta.main) main(process.argv.slice(2));
