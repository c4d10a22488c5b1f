/** Rows of `domain_quotas`. */
import { eq, sql } from "drizzle-orm";
import type { Domain } from "../core/address.ts";
import type { Db } from "./open.ts";
import { PreparedRows } from "./prepared-rows.ts";
import { domainQuotas } from "./schema.ts";

export class DomainQuotaRows extends PreparedRows<ReturnType<typeof prepare>> {
  constructor(db: Db) {
    super(() => prepare(db));
  }

  /** @param visit gets bytes; 0 is unlimited */
  forEach(visit: (domain: Domain, bytes: number) => void): void {
    for (const row of this.statements.all.all()) visit(row.domain as Domain, row.maxStorage);
  }

  put(domain: Domain, bytes: number): void {
    this.statements.put.run({ domain, bytes });
  }

  remove(domain: Domain): void {
    this.statements.remove.run({ domain });
  }
}

function prepare(db: Db) {
  const domain = sql.placeholder("domain");
  return {
    all: db.select().from(domainQuotas).prepare(),
    put: db
      .insert(domainQuotas)
      .values({ domain, maxStorage: sql.placeholder("bytes") })
      .onConflictDoUpdate({ target: domainQuotas.domain, set: { maxStorage: sql`excluded.max_storage` } })
      .prepare(),
    remove: db.delete(domainQuotas).where(eq(domainQuotas.domain, domain)).prepare(),
  };
}
