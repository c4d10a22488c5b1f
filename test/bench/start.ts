/** Start with ten thousand accounts, and `madmail version`. */
import { Database } from "bun:sqlite";
import { Glob } from "bun";
import type { Relay } from "../support/relay.ts";
import { runMadmail } from "../support/relay.ts";
import { imapLogin, percentile, type Scenario, withRelay } from "./lab.ts";

const ACCOUNTS = 10_000;
const TRIES = 7;

export const start: Scenario = {
  name: "start",
  run: () =>
    withRelay("start", async (relay) => {
      const model = "modelaccount";
      (await imapLogin(relay, `${model}@${relay.domain}`)).close();
      await relay.stop();
      const rows = multiply(relay, model);
      const times: number[] = [];
      for (let i = 0; i < TRIES; i++) {
        await relay.restart();
        times.push(relay.startMs);
        // The copies are real accounts: the last one can log in.
        if (i === 0) (await imapLogin(relay, `${model}${ACCOUNTS - 1}@${relay.domain}`)).close();
        await relay.stop();
      }
      return [
        {
          name: `start to ready with ${rows} accounts, p50`,
          value: percentile(times, 0.5),
          unit: "ms",
          budget: { max: 150 },
        },
      ];
    }),
};

export const version: Scenario = {
  name: "version",
  run: async () => {
    const times: number[] = [];
    for (let i = 0; i < TRIES * 2; i++) times.push((await runMadmail(["version"])).ms);
    return [
      { name: "`madmail version`, p50", value: percentile(times, 0.5), unit: "ms", budget: { max: 60 } },
    ];
  },
};

/**
 * Copies the model account's rows, whatever the tables are called: hashing ten thousand passwords would take
 * minutes. @returns accounts there are then
 */
export function multiply(relay: Relay, model: string): number {
  const [file] = [...new Glob("**/*.{db,sqlite,sqlite3}").scanSync({ cwd: relay.stateDir, absolute: true })];
  if (file === undefined) throw new Error("no database in the state directory");
  const db = new Database(file);
  const tables = db.query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'table'").all();
  let accounts = 0;
  for (const { name } of tables) {
    const rows = db.query<Record<string, string | number | null>, []>(`SELECT * FROM "${name}"`).all();
    const row = rows.find((r) =>
      Object.values(r).some((v) => typeof v === "string" && v.startsWith(`${model}@`)),
    );
    if (row === undefined) continue;
    // A number that is the row's own key is given anew by SQLite.
    const columns = Object.keys(row).filter((column) => column !== "id");
    const insert = db.prepare(
      `INSERT INTO "${name}" (${columns.map((c) => `"${c}"`).join()}) VALUES (${columns.map(() => "?").join()})`,
    );
    db.transaction(() => {
      for (let i = 1; i < ACCOUNTS; i++) {
        insert.run(
          ...columns.map((column) => {
            const value = row[column] ?? null;
            return typeof value === "string" ? value.replaceAll(`${model}@`, `${model}${i}@`) : value;
          }),
        );
      }
    })();
    accounts = ACCOUNTS;
  }
  db.close();
  if (accounts === 0) throw new Error("no table holds the model account");
  return accounts;
}
