/**
 * The queue under torture on the compiled relay: users write to many servers of which some hang and some refuse, and the
 * relay is killed in the middle. Who got what how often is counted at the receivers.
 */
import { readdirSync, readFileSync } from "node:fs";
import { Crowd, type Manner } from "./crowd.ts";
import { DnsServer } from "./dns-server.ts";
import { ImapClient } from "./imap-client.ts";
import { joinMail, pgpBody } from "./pgp-mail.ts";
import { Relay } from "./relay.ts";
import { SmtpClient } from "./smtp-client.ts";

const PASSWORD = "Yd6wTq0ZpLm3RkVbN8sXcE";
const SAMPLE_MS = 20;
const LOOK_MS = 50;

export interface TortureOptions {
  name: string;
  messages: number;
  destinations: number;
  senders: number;
  bytes: number;
  /** The relay is killed once so many messages were taken by the receivers. */
  killAfter: number;
  /** As `[queue] concurrency`. */
  concurrency: number;
  timeoutMs: number;
}

export interface TortureResult {
  /** From the first submission on, with the kill and the restart in it. */
  acceptedMs: number;
  healthyMs: number;
  /** Answered 250, for servers that are well; and how many of those were never taken. */
  healthy: number;
  missing: string[];
  /** Taken more than once: allowed for what was under way at the kill. */
  twice: number;
  /** Taken more than once by one life of the relay: never allowed. */
  twiceInOneLife: string[];
  /** Messages answered 250 that a server refused; reports in the senders' mailboxes. */
  refused: number;
  unreported: string[];
  reportedTwice: number;
  /** What still waits for servers that hang or that nobody answers at. */
  waiting: number;
  memoryPeakMb: number;
  filesPeak: number;
  cpuMsPerMessage: number;
}

interface Letter {
  id: string;
  to: string;
  manner: Manner;
}

export async function torture(options: TortureOptions): Promise<TortureResult> {
  const crowd = await Crowd.start(options.destinations);
  const dns = await DnsServer.start();
  for (const { domain, host } of crowd.members) dns.zone.set(domain, [{ type: "A", data: host }]);
  const relay = await Relay.start({
    name: options.name,
    config: {
      dns: { servers: [dns.endpoint] },
      federation: crowd.federation,
      queue: { concurrency: options.concurrency },
      accounts: { default_quota: 0 },
      log: { level: "off" },
    },
  });
  try {
    return await new Torture(options, relay, crowd).run();
  } finally {
    await relay.dispose();
    crowd.stop();
    dns.stop();
  }
}

class Torture {
  readonly #options: TortureOptions;
  readonly #relay: Relay;
  readonly #crowd: Crowd;
  readonly #accepted: Letter[] = [];
  readonly #users: string[];
  #isOver = false;
  /** Settles when the relay is there again. */
  #up: Promise<void> = Promise.resolve();
  #next = 0;
  #memoryPeakMb = 0;
  #filesPeak = 0;
  /** Of lives that ended, and of this one so far. */
  #cpuMs = 0;
  #cpuNowMs = 0;

  constructor(options: TortureOptions, relay: Relay, crowd: Crowd) {
    this.#options = options;
    this.#relay = relay;
    this.#crowd = crowd;
    this.#users = Array.from({ length: options.senders }, (_, i) => relay.address(`tortured0${i}`));
  }

  async run(): Promise<TortureResult> {
    const { messages, bytes, timeoutMs } = this.#options;
    const body = await pgpBody(bytes);
    const watch = setInterval(() => this.#sample(), SAMPLE_MS);
    const startedAt = performance.now();
    const endsAt = startedAt + timeoutMs;
    const killed = this.#killInTheMiddle();
    await Promise.all([...this.#users.map((user) => this.#write(user, body)), killed]);
    const acceptedMs = performance.now() - startedAt;
    await this.#until(endsAt, () => this.#missing().length === 0);
    const healthyMs = performance.now() - startedAt;
    const refused = this.#those("refusing");
    const reports = await this.#reports(endsAt, refused.length);
    this.#sample();
    clearInterval(watch);
    this.#isOver = true;
    const lives = [...this.#crowd.taken];
    return {
      acceptedMs,
      healthyMs,
      healthy: this.#healthy().length,
      missing: this.#missing(),
      twice: lives.filter(([, taken]) => taken.length > 1).length,
      twiceInOneLife: lives.flatMap(([key, taken]) => (new Set(taken).size < taken.length ? [key] : [])),
      refused: refused.length,
      unreported: refused.map(({ id }) => id).filter((id) => !reports.has(id)),
      reportedTwice: [...reports.values()].filter((count) => count > 1).length,
      waiting: this.#those("silent", "stuck", "closed").length,
      memoryPeakMb: this.#memoryPeakMb,
      filesPeak: this.#filesPeak,
      cpuMsPerMessage: (this.#cpuMs + this.#cpuNowMs) / messages,
    };
  }

  #those(...manners: Manner[]): Letter[] {
    return this.#accepted.filter(({ manner }) => manners.includes(manner));
  }

  #healthy(): Letter[] {
    return this.#those("https", "smtp");
  }

  #missing(): string[] {
    return this.#healthy()
      .map(({ id, to }) => `<${id}> ${to}`)
      .filter((key) => !this.#crowd.taken.has(key));
  }

  /** One user's client: goes on with the next message when a connection breaks, as soon as the relay is back. */
  async #write(user: string, body: Buffer): Promise<void> {
    const { members } = this.#crowd;
    while (this.#next < this.#options.messages) {
      await this.#up;
      try {
        const smtp = await SmtpClient.open({ port: this.#relay.ports.submissions, tls: true });
        await smtp.auth(user, PASSWORD);
        while (this.#next < this.#options.messages) {
          const n = this.#next++;
          const member = members[n % members.length];
          if (member === undefined) throw new Error("nobody to write to");
          const letter = {
            id: `torture-${n}@localhost`,
            to: `user${n}@${member.domain}`,
            manner: member.manner,
          };
          const mail = joinMail({ from: user, to: letter.to, messageId: letter.id }, body);
          const { code, lines } = await smtp.send({ from: user, to: [letter.to] }, mail);
          if (code === 421) break;
          if (code !== 250) throw new TypeError(`${code} ${lines.join(" ")}`);
          this.#accepted.push(letter);
        }
        await smtp.quit();
      } catch (error) {
        // The kill. Whatever else goes wrong is a fault.
        if (error instanceof TypeError || this.#crowd.life > 1) throw error;
        await Bun.sleep(LOOK_MS);
      }
    }
  }

  async #killInTheMiddle(): Promise<void> {
    const reached = Promise.withResolvers<void>();
    let taken = 0;
    this.#crowd.onTaken = () => {
      if (++taken === this.#options.killAfter) reached.resolve();
    };
    await reached.promise;
    const back = Promise.withResolvers<void>();
    this.#up = back.promise;
    await this.#relay.kill();
    this.#cpuMs += this.#cpuNowMs;
    this.#cpuNowMs = 0;
    this.#crowd.life++;
    await this.#relay.restart();
    back.resolve();
  }

  /** Message-IDs that were reported as failed, and how often. */
  async #reports(endsAt: number, wanted: number): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    await this.#until(endsAt, async () => {
      found.clear();
      for (const user of this.#users) {
        const imap = await ImapClient.open({ port: this.#relay.ports.imaps, tls: true });
        await imap.login(user, PASSWORD);
        const { exists } = await imap.select();
        for (const { body } of exists === 0 ? [] : await imap.fetch("1:*")) {
          const id = /^message-id: <(torture-[^>]*)>/im.exec(body?.toString("latin1") ?? "")?.[1];
          if (id !== undefined) found.set(id, (found.get(id) ?? 0) + 1);
        }
        imap.close();
      }
      return found.size >= wanted;
    });
    return found;
  }

  /** Looks again until it is so, or until the time is over: the counts then tell what is missing. */
  async #until(endsAt: number, isSo: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await isSo()) && performance.now() < endsAt) await Bun.sleep(LOOK_MS);
  }

  #sample(): void {
    const { pid } = this.#relay;
    if (this.#isOver || pid === 0) return;
    try {
      this.#filesPeak = Math.max(this.#filesPeak, readdirSync(`/proc/${pid}/fd`).length);
      const status = readFileSync(`/proc/${pid}/status`, "latin1");
      const peakKb = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
      this.#memoryPeakMb = Math.max(this.#memoryPeakMb, peakKb / 1024);
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      this.#cpuNowMs = (Number(fields[11]) + Number(fields[12])) * 10;
    } catch {
      // Between two lives.
    }
  }
}
