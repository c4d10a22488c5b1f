/** The admin panel of a test relay: its API called beside the browser, sessions put into pages, rows put into its database. */
import { Database } from "bun:sqlite";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { InputOf, OutputOf } from "../../src/operations/operations.ts";
import type { OperationName } from "../../src/operations/table.ts";
import type { Visitor } from "./browser.ts";
import type { Relay } from "./relay.ts";

interface Envelope {
  status: number;
  body: unknown;
  error: string | null;
}

export interface PanelSession {
  token: string;
  expires_at: number;
  scope: "full" | "read";
}

export class TestPanel {
  readonly #relay: Relay;

  constructor(relay: Relay) {
    this.#relay = relay;
  }

  get origin(): string {
    return `https://127.0.0.1:${this.#relay.ports.https}`;
  }

  url(path: string): string {
    return `${this.origin}/admin${path}`;
  }

  /** The operator's token. */
  get token(): string {
    return readFileSync(join(this.#relay.stateDir, "admin_token"), "utf8").trim();
  }

  /** @throws {Error} with the API's words (as a rejection) */
  async call<N extends OperationName>(name: N, input: InputOf<N>): Promise<OutputOf<N>> {
    return (await this.#ask(`/admin/operations/${name}`, input)) as OutputOf<N>;
  }

  async session(scope: "full" | "read" = "full"): Promise<PanelSession> {
    return (await this.#ask("/admin/session", { read_only: scope === "read" })) as PanelSession;
  }

  /** Pages that the visitor opens from now on are logged in. */
  async enter(
    visitor: Visitor,
    { scope = "full", language = "en" }: EnterOptions = {},
  ): Promise<PanelSession> {
    const session = await this.session(scope);
    const [kept, spoken] = [JSON.stringify(session), language].map((text) => JSON.stringify(text));
    await visitor.page.addInitScript(
      `sessionStorage.getItem("test") ?? sessionStorage.setItem("madmail.session", ${kept});
       sessionStorage.setItem("test", "1");
       localStorage.getItem("madmail.language") ?? localStorage.setItem("madmail.language", ${spoken});`,
    );
    return session;
  }

  /** Opens a page of the panel and waits until it has its data. */
  async open({ page }: Visitor, path: string): Promise<void> {
    await page.goto(this.url(path));
    await page.waitForSelector("main h1");
    await settled({ page });
  }

  /** Changes rows while the relay does not run. */
  onDatabase(work: (db: Database) => void): void {
    const name = readdirSync(this.#relay.stateDir).find((each) => each.endsWith(".db"));
    if (name === undefined) throw new Error("the relay has no database");
    const db = new Database(join(this.#relay.stateDir, name));
    try {
      work(db);
    } finally {
      db.close();
    }
  }

  async #ask(resource: string, body: unknown): Promise<unknown> {
    const response = await fetch(`${this.origin}/api/admin`, {
      method: "POST",
      body: JSON.stringify({
        method: "POST",
        resource,
        headers: { Authorization: `Bearer ${this.token}` },
        body,
      }),
      tls: { rejectUnauthorized: false },
    });
    const envelope = (await response.json()) as Envelope;
    if (envelope.status >= 400) throw new Error(`${resource}: ${envelope.status} ${envelope.error}`);
    return envelope.body;
  }
}

interface EnterOptions {
  scope?: "full" | "read";
  language?: string;
}

/** Waits until nothing on the page is being asked for. */
export async function settled({ page }: Pick<Visitor, "page">): Promise<void> {
  await page.waitForSelector("main:not(:has(.loading, [aria-busy=true])) h1");
}
