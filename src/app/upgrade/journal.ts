/** What an upgrade under way has to know after a crash. There is one file as long as nobody has confirmed the new version. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { z } from "zod";
import { parseJson } from "../../core/json.ts";
import { writeWhole } from "../install/files.ts";

const OWNER_ONLY = 0o600;

const journal = z.object({
  from: z.string(),
  to: z.string(),
  /** The copy of the database before, as this machine sees it; null where there was no database. */
  backup: z.string().nullable(),
  /** Whether the relay ran, and shall run again. */
  wasActive: z.boolean(),
  startedAtMs: z.number(),
});
export type Journal = z.output<typeof journal>;

/** @returns undefined when no upgrade is under way, or what is there can't be read: a crash never leaves half a file */
export function readJournal(path: string): Journal | undefined {
  if (!existsSync(path)) return undefined;
  const parsed = journal.safeParse(parseJson(readFileSync(path, "utf8")));
  return parsed.success ? parsed.data : undefined;
}

export function writeJournal(path: string, entry: Journal): void {
  writeWhole(path, `${JSON.stringify(entry, null, 2)}\n`, { mode: OWNER_ONLY });
}

export function removeJournal(path: string): void {
  rmSync(path, { force: true });
}
