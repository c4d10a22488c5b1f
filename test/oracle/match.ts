/** Brings up both servers and asks them the same. */
import { cpus } from "node:os";
import { join } from "node:path";
import { rmSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { pgpMessage } from "../support/pgp-mail.ts";
import { Relay } from "../support/relay.ts";
import { type CorpusMessage, mail, Template } from "./corpus.ts";
import { Dovecot } from "./dovecot.ts";
import { compare, type Divergence, play, type Session } from "./play.ts";

const PASSWORD = "oracle-password";
const PGP_MAIL_BYTES = 2_000;
const AT_ONCE = Math.max(2, cpus().length);

/** Both servers, with an account for each session. */
export class Match {
  readonly relay: Relay;
  readonly dovecot: Dovecot;
  readonly #dir: string;
  readonly #templates: Record<Session["mailbox"], Template>;
  readonly #pgp: string;
  #accounts = 0;

  private constructor(relay: Relay, dovecot: Dovecot, odd: readonly CorpusMessage[], pgp: string) {
    this.relay = relay;
    this.dovecot = dovecot;
    this.#pgp = pgp;
    this.#dir = mkdtempSync(join(tmpdir(), "oracle-mail-"));
    this.#templates = {
      mail: new Template(join(this.#dir, "mail"), mail),
      odd: new Template(join(this.#dir, "odd"), odd),
      empty: new Template(join(this.#dir, "empty"), []),
    };
  }

  /** @param sessionsMax how many sessions there will be at most @param odd what the mailbox `odd` holds */
  static async start(sessionsMax: number, odd: readonly CorpusMessage[]): Promise<Match> {
    const users = Array.from({ length: sessionsMax }, (_, i) => userName(i));
    const pgp = await pgpMessage({
      from: userName(0),
      messageId: "appended@relay.test",
      bytes: PGP_MAIL_BYTES,
    });
    const dovecot = await Dovecot.start(users, PASSWORD);
    try {
      const relay = await Relay.start({
        name: "oracle",
        config: { accounts: { default_quota: "1G" }, storage: { fsync: "never" } },
        env: { TZ: "UTC" },
      });
      return new Match(relay, dovecot, odd, pgp.toString("latin1"));
    } catch (error) {
      await dovecot.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.relay.dispose();
    await this.dovecot.stop(join(import.meta.dir, "../../test-artifacts"));
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** Plays all sessions on both servers. @returns all fields in which they differ */
  async run(sessions: readonly Session[]): Promise<Divergence[]> {
    const found: Divergence[] = [];
    const waiting = [...sessions];
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        found.push(...(await this.#one(next)));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return found;
  }

  async #one(session: Session): Promise<Divergence[]> {
    const user = userName(this.#accounts++);
    const template = this.#templates[session.mailbox];
    template.fill(join(this.relay.stateDir, "mail", user, "Maildir"));
    template.fill(this.dovecot.maildir(user));
    this.dovecot.own(user);
    const account = { user, password: PASSWORD };
    const fill = (line: string) =>
      line.replace("{crlf}", "\r\n").replace("{pgp}", () => `{${this.#pgp.length}+}\r\n${this.#pgp}`);
    const secure = { port: this.relay.ports.imaps, tls: true };
    try {
      const ours = await play(session, secure, account, fill);
      const theirs = await play(session, { port: this.dovecot.port }, account, fill);
      return compare(session, ours, theirs);
    } catch (error) {
      throw new Error(`session ${session.name}`, { cause: error });
    }
  }
}

function userName(index: number): string {
  return `session${String(index).padStart(4, "0")}@relay.test`;
}
