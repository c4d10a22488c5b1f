/** Care of the database file while it is in use: short statements only, since there is one thread. */
import type { Db } from "./open.ts";

/** Free pages given back in one go (of 4 kB each: 8 MB, tens of milliseconds). */
const PAGES_AT_ONCE = 2000;
/** SQLite looks at so many rows of an index when it refreshes statistics. */
const ANALYSIS_LIMIT = 400;
/** Free pages below this part of the file are not worth a word. */
const FREE_PART_TOLD = 0.5;

export interface DatabaseCare {
  freedBytes: number;
  /** For the operator. */
  findings: string[];
}

/** @param dryRun tells what could be freed and changes nothing @throws what SQLite throws */
export function careForDatabase(db: Db, dryRun: boolean): DatabaseCare {
  const { $client: client } = db;
  const number = (pragma: string) => Number(client.query(`PRAGMA ${pragma}`).values()[0]?.[0] ?? 0);
  const pageBytes = number("page_size");
  const free = number("freelist_count");
  const pages = number("page_count");
  // Databases of before this was set stay as they are: only a full VACUUM, which stops everything, changes that.
  const isIncremental = number("auto_vacuum") === 2;
  const findings: string[] = [];
  if (!isIncremental && pages > PAGES_AT_ONCE && free > pages * FREE_PART_TOLD) {
    findings.push("more than half of the database is free space: stop the relay and run VACUUM once");
  }
  if (dryRun) return { freedBytes: isIncremental ? free * pageBytes : 0, findings };
  client.run(`PRAGMA analysis_limit = ${ANALYSIS_LIMIT}`);
  client.run("PRAGMA optimize");
  // Each returned row is a page given back: the statement must be stepped to its end.
  if (isIncremental && free > 0) client.query(`PRAGMA incremental_vacuum(${PAGES_AT_ONCE})`).values();
  client.run("PRAGMA wal_checkpoint(PASSIVE)");
  return { freedBytes: (free - number("freelist_count")) * pageBytes, findings };
}
