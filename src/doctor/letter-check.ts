/**
 * The real thing: two accounts that live for a moment, keys, a letter by submission over TLS, the push in IDLE, fetched,
 * decrypted and compared. The accounts are removed whatever comes of it.
 */
import { randomBytes } from "node:crypto";
import type { Address } from "../core/address.ts";
import { toLatin1 } from "../core/bytes.ts";
import { makeIdentity } from "../openpgp/identity.ts";
import { openLetter, sealLetter } from "../openpgp/letter.ts";
import type { Check } from "./check.ts";
import { fail, type Finding, found, messageOf, skipped, warn } from "./finding.ts";
import { LineTalk } from "./line-talk.ts";
import type { Running, World } from "./world.ts";

const TIME_MAX_MS = 30_000;
const PUSH_MAX_MS = 10_000;
const SLOW_PUSH_MS = 1000;

interface Account {
  address: Address;
  password: string;
}

export const letterChecks: readonly Check[] = [
  {
    name: "message",
    title: "An encrypted message to itself",
    needs: "running",
    last: true,
    timeMaxMs: TIME_MAX_MS,
    run: checkLetter,
  },
];

async function checkLetter(world: World, stop: AbortSignal): Promise<Finding> {
  const { running, clock } = world;
  const submissions = running?.addresses()["submissions"]?.[0];
  const imaps = running?.addresses()["imaps"]?.[0];
  if (running === undefined || submissions === undefined || imaps === undefined) {
    return skipped("it goes by submissions and imaps, and one of them is off");
  }
  const talks: LineTalk[] = [];
  const open = async (at: string) => {
    const talk = await LineTalk.open({ at, tls: true, clock, stop });
    talks.push(talk);
    return talk;
  };
  const made: Account[] = [];
  let step = "making two accounts";
  try {
    const [sender, reader] = await makeAccounts(running, made);
    step = "making keys";
    const [from, to] = [await makeIdentity(sender.address), await makeIdentity(reader.address)];
    step = "logging in by IMAP";
    const imap = new ImapTalk(await open(imaps));
    await imap.idleIn(reader);
    step = "logging in for submission";
    const smtp = new SmtpTalk(await open(submissions));
    await smtp.login(sender);
    step = "sending";
    const secret = randomBytes(24).toString("hex");
    const target = { address: to.address, key: to.key.toPublic() };
    const id = `doctor-${randomBytes(12).toString("hex")}`;
    const letter = await sealLetter({ from, to: target, id, nowMs: clock.nowMs(), text: secret });
    const sentMs = clock.monotonicMs();
    const accepted = smtp.send(sender.address, reader.address, letter);
    // The push may come before the answer, or never.
    const pushed = imap.pushed().then(() => clock.monotonicMs() - sentMs);
    pushed.catch(() => {});
    await accepted;
    const acceptedMs = clock.monotonicMs() - sentMs;
    step = "waiting for the push in IDLE";
    const pushMs = await pushed;
    step = "fetching";
    const raw = await imap.fetchFirst();
    step = "decrypting";
    const opened = await openLetter(raw, to.key);
    const body = toLatin1(opened?.payload ?? new Uint8Array()).split("\r\n\r\n")[1] ?? "";
    const isSame = Buffer.from(body, "base64").toString() === secret;
    if (opened === undefined || !isSame || !(await opened.isSignedBy(from.key.toPublic()))) {
      return found(
        "",
        fail(
          "what came back is not what was sent",
          "something between changes mail; this must not happen: report it",
        ),
      );
    }
    const whole = Math.round(clock.monotonicMs() - sentMs);
    const said = `accepted in ${acceptedMs.toFixed(1)} ms, pushed in ${pushMs.toFixed(1)} ms, fetched, decrypted and compared in ${whole} ms`;
    const mend = "see the disk above, and what else runs on this machine";
    return found(
      said,
      pushMs > SLOW_PUSH_MS ? warn(`it took ${Math.round(pushMs)} ms to be pushed`, mend) : undefined,
    );
  } catch (error) {
    return found("", fail(`it stopped at ${step}: ${messageOf(error)}`, mendOf(step)));
  } finally {
    for (const talk of talks) talk.close();
    for (const { address } of made) running.removeAccount(address);
  }
}

async function makeAccounts(running: Running, made: Account[]): Promise<[Account, Account]> {
  // One after the other, so that none is forgotten when the other fails.
  const first = await running.makeAccount();
  made.push(first);
  const second = await running.makeAccount();
  made.push(second);
  return [first, second];
}

function mendOf(step: string): string {
  if (step.startsWith("logging in"))
    return "see the checks of ports and certificate above; a firewall may stand between";
  if (step === "sending") return "what the relay answered is what users get too; see [limits] and the disk";
  return "users have this trouble too; see the other checks, and the log with `level` in [log]";
}

/** As much of submission as one letter needs. What the server refuses is an Error with its words. */
class SmtpTalk {
  readonly #talk: LineTalk;

  constructor(talk: LineTalk) {
    this.#talk = talk;
  }

  async login({ address, password }: Account): Promise<void> {
    await this.#reply(220);
    await this.#say("EHLO [127.0.0.1]", 250);
    await this.#say(`AUTH PLAIN ${Buffer.from(`\0${address}\0${password}`).toString("base64")}`, 235);
  }

  /** @param letter without a line that begins with a dot */
  async send(from: Address, to: Address, letter: Uint8Array): Promise<void> {
    await this.#say(`MAIL FROM:<${from}>`, 250);
    await this.#say(`RCPT TO:<${to}>`, 250);
    await this.#say("DATA", 354);
    this.#talk.write(letter);
    await this.#say(".", 250);
  }

  async #say(line: string, code: number): Promise<void> {
    this.#talk.write(`${line}\r\n`);
    await this.#reply(code);
  }

  async #reply(code: number): Promise<void> {
    for (;;) {
      const line = await this.#talk.line();
      if (line[3] === "-") continue;
      if (line.startsWith(String(code))) return;
      throw new Error(`the relay says "${line}"`);
    }
  }
}

class ImapTalk {
  readonly #talk: LineTalk;
  #tag = 0;

  constructor(talk: LineTalk) {
    this.#talk = talk;
  }

  async idleIn({ address, password }: Account): Promise<void> {
    await this.#talk.line();
    await this.#command(`LOGIN "${address}" "${password.replace(/["\\]/g, "\\$&")}"`);
    await this.#command('SELECT "INBOX"');
    this.#talk.write("idle IDLE\r\n");
    await this.#until((line) => line.startsWith("+"), "idle ");
  }

  async pushed(): Promise<void> {
    await this.#until((line) => /^\* \d+ EXISTS/.test(line), "idle ", PUSH_MAX_MS);
  }

  async fetchFirst(): Promise<Uint8Array> {
    this.#talk.write("DONE\r\n");
    await this.#until((line) => line.startsWith("idle OK"), "idle ");
    this.#talk.write("fetch FETCH 1 (BODY.PEEK[])\r\n");
    const line = await this.#until((each) => /\{\d+\}$/.test(each), "fetch ");
    return this.#talk.bytes(Number(/\{(\d+)\}$/.exec(line)?.[1]));
  }

  async #command(text: string): Promise<void> {
    const tag = `d${++this.#tag}`;
    this.#talk.write(`${tag} ${text}\r\n`);
    await this.#until((line) => line.startsWith(`${tag} OK`), `${tag} `);
  }

  /** @throws {Error} at the answer with `tag` that is not meant (as a rejection) */
  async #until(isMeant: (line: string) => boolean, tag: string, timeoutMs?: number): Promise<string> {
    for (;;) {
      const line = await this.#talk.line(timeoutMs);
      if (isMeant(line)) return line;
      if (line.startsWith(tag) || line.startsWith("* BYE"))
        throw new Error(`the relay says "${line.replace(tag, "")}"`);
    }
  }
}
