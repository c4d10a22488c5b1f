/** Rows of `contacts`. */
import { eq, sql } from "drizzle-orm";
import type { Db } from "./open.ts";
import { PreparedRows } from "./prepared-rows.ts";
import { contacts } from "./schema.ts";

export interface ContactRow {
  slug: string;
  /** `openpgp4fpr:…`, or `reserved`. */
  url: string;
  name: string;
  createdAtSec: number;
}

export class ContactRows extends PreparedRows<ReturnType<typeof prepare>> {
  constructor(db: Db) {
    super(() => prepare(db));
  }

  find(slug: string): ContactRow | undefined {
    return this.statements.find.get({ slug });
  }

  count(): number {
    return this.statements.count.get()?.rows ?? 0;
  }

  list(limit: number, offset: number): ContactRow[] {
    return this.statements.list.all({ limit, offset });
  }

  /** @returns false if there is one of that slug */
  insert(row: ContactRow): boolean {
    return this.statements.insert.get({ ...row }) !== undefined;
  }

  /** @returns whether there was one to change */
  update(slug: string, { url, name }: Pick<ContactRow, "url" | "name">): boolean {
    return this.statements.update.get({ slug, url, name }) !== undefined;
  }

  /** @returns whether there was one */
  remove(slug: string): boolean {
    return this.statements.remove.get({ slug }) !== undefined;
  }
}

function prepare(db: Db) {
  const slug = sql.placeholder("slug");
  const row = {
    slug: contacts.slug,
    url: contacts.url,
    name: contacts.name,
    createdAtSec: contacts.createdAt,
  };
  return {
    find: db.select(row).from(contacts).where(eq(contacts.slug, slug)).prepare(),
    count: db.select({ rows: sql<number>`count(*)` }).from(contacts).prepare(),
    list: db
      .select(row)
      .from(contacts)
      .orderBy(contacts.slug)
      .limit(sql.placeholder("limit"))
      .offset(sql.placeholder("offset"))
      .prepare(),
    insert: db
      .insert(contacts)
      .values({
        slug,
        url: sql.placeholder("url"),
        name: sql.placeholder("name"),
        createdAt: sql.placeholder("createdAtSec"),
      })
      .onConflictDoNothing()
      .returning({ slug: contacts.slug })
      .prepare(),
    update: db
      .update(contacts)
      .set({ url: sql`${sql.placeholder("url")}`, name: sql`${sql.placeholder("name")}` })
      .where(eq(contacts.slug, slug))
      .returning({ slug: contacts.slug })
      .prepare(),
    remove: db.delete(contacts).where(eq(contacts.slug, slug)).returning({ slug: contacts.slug }).prepare(),
  };
}
