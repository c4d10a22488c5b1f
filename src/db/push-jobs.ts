/** Rows of `push_jobs`. */
import { eq, sql } from "drizzle-orm";
import { type Db, inTransaction } from "./open.ts";
import { pushJobs } from "./schema.ts";

export class PushJobRows {
  readonly #db: Db;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(db: Db) {
    this.#db = db;
    this.#statements = prepare(db);
  }

  all(): string[] {
    return this.#statements.all.all().map((row) => row.token);
  }

  /** All of them or none. */
  add(tokens: readonly string[]): void {
    inTransaction(this.#db, () => {
      for (const token of tokens) this.#statements.add.run({ token });
    });
  }

  remove(token: string): void {
    this.#statements.remove.run({ token });
  }

  clear(): void {
    this.#statements.clear.run();
  }
}

function prepare(db: Db) {
  const token = sql.placeholder("token");
  return {
    all: db.select({ token: pushJobs.deviceToken }).from(pushJobs).prepare(),
    add: db.insert(pushJobs).values({ deviceToken: token }).onConflictDoNothing().prepare(),
    remove: db.delete(pushJobs).where(eq(pushJobs.deviceToken, token)).prepare(),
    clear: db.delete(pushJobs).prepare(),
  };
}
