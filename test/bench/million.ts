/**
 * A million messages in ten thousand mailboxes: start, memory, and what a walk over all of them does to the latency of
 * mail. The mailboxes are real ones, made of hard links: one body each. A fifth of the messages is past its age.
 */
import { linkSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { joinMail, pgpBody } from "../support/pgp-mail.ts";
import type { Relay } from "../support/relay.ts";
import { cpuMs, imapLogin, percentile, pssKb, removeLeftovers, smtpLogin, withRelay } from "./lab.ts";
import { multiply } from "./start.ts";

const MAILBOXES = 10_000;
const PER_MAILBOX = 100;
const BODY_BYTES = 2000;
/** Messages sent to see how long one takes. */
const QUIET_SENDS = 400;
/** The configured age, and that of the oldest message: every fifth is too old. */
const AGE_MAX_DAYS = 25;
const DAY_MS = 86_400_000;
const MODEL = "modelaccount";
const binary = resolve(import.meta.dir, "../../dist/madmail");

await withRelay("million", async (relay) => {
  (await imapLogin(relay, `${MODEL}@${relay.domain}`)).close();
  await relay.stop();
  multiply(relay, MODEL);
  const madeAtMs = performance.now();
  fill(relay);
  say("made", `${((performance.now() - madeAtMs) / 1000).toFixed(1)} s`);

  await relay.restart();
  say("start to ready", `${relay.startMs.toFixed(0)} ms`);
  say("memory after the start (PSS)", megabytes(pssKb(relay.pid)));
  const sender = await probe(relay);
  await sender.during(async (sent) => {
    while (sent() < QUIET_SENDS) await Bun.sleep(5);
  });
  say("submit, before (p50, p99, max)", sender.figures());

  for (const name of ["walk that deletes every fifth", "walk that finds nothing to do"]) {
    const before = cpuMs(relay.pid);
    let answer = "";
    const startedAt = performance.now();
    await sender.during(async () => {
      answer = await madmail(relay, ["tasks", "run", "retention", "--yes", "--json"]);
    });
    const took = performance.now() - startedAt;
    const { data } = JSON.parse(answer) as { data: { messages: number; removedMessages: number } };
    say(name, `${(took / 1000).toFixed(1)} s: ${data.removedMessages} of ${data.messages} deleted`);
    say("  submit meanwhile (p50, p99, max)", sender.figures());
    say("  server CPU, mail included", `${((cpuMs(relay.pid) - before) / 1000).toFixed(1)} s`);
    say("  memory after it (PSS)", megabytes(pssKb(relay.pid)));
  }
  const imap = await imapLogin(relay, `${MODEL}77@${relay.domain}`);
  const { exists } = await imap.select();
  say("left in a mailbox", `${exists} of ${PER_MAILBOX}`);
  imap.close();
  sender.close();
});
removeLeftovers();

/** One message after the other from a kept connection. */
async function probe(relay: Relay) {
  const from = `probesender@${relay.domain}`;
  const to = `probereader@${relay.domain}`;
  const body = await pgpBody(10_000);
  const smtp = await smtpLogin(relay, from);
  const imap = await imapLogin(relay, to);
  let times: number[] = [];
  let number = 0;
  return {
    /** Sends as long as `work` lasts. */
    async during(work: (sent: () => number) => Promise<void>): Promise<void> {
      times = [];
      const state = { isOver: false };
      const working = work(() => times.length).finally(() => {
        state.isOver = true;
      });
      while (!state.isOver) {
        const mail = joinMail({ from, messageId: `million-${number++}@localhost` }, body);
        const startedAt = performance.now();
        const reply = await smtp.send({ from, to: [to] }, mail);
        times.push(performance.now() - startedAt);
        if (reply.code !== 250) throw new Error(`refused: ${reply.code} ${reply.lines.join(" ")}`);
        // A chat, not a flood.
        await Bun.sleep(2);
      }
      await working;
    },
    figures(): string {
      const [p50, p99, max] = [0.5, 0.99, 1].map((part) => `${percentile(times, part).toFixed(1)} ms`);
      return `${p50}, ${p99}, ${max} of ${times.length}`;
    },
    close(): void {
      imap.close();
      smtp.link.close();
    },
  };
}

function fill(relay: Relay): void {
  const nowMs = Date.now();
  for (let n = 1; n < MAILBOXES; n++) {
    const maildir = join(relay.stateDir, "mail", `${MODEL}${n}@${relay.domain}`, "Maildir");
    for (const part of ["cur", "new", "tmp"])
      mkdirSync(join(maildir, part), { recursive: true, mode: 0o700 });
    const uidValidity = 1_700_000_000 + n;
    writeFileSync(join(maildir, "madmail-uid"), `1 V${uidValidity} N${PER_MAILBOX + 1} L${uidValidity}\n`);
    const nameOf = (uid: number) => {
      const ageMs = (AGE_MAX_DAYS * DAY_MS * (PER_MAILBOX - uid + 0.5)) / PER_MAILBOX;
      const seconds = Math.floor((nowMs - ageMs) / 1000);
      return `${seconds}.V${uidValidity}RbenchQ${uid}.bench,S=${BODY_BYTES},U=${uid}`;
    };
    const first = join(maildir, "new", nameOf(1));
    writeFileSync(first, "x".repeat(BODY_BYTES), { mode: 0o600 });
    for (let uid = 2; uid <= PER_MAILBOX; uid++) {
      linkSync(
        first,
        uid % 2 === 0 ? join(maildir, "cur", `${nameOf(uid)}:2,S`) : join(maildir, "new", nameOf(uid)),
      );
    }
  }
}

async function madmail(relay: Relay, args: readonly string[]): Promise<string> {
  const where = ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir];
  const child = Bun.spawn([binary, ...args, ...where], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const [text, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  if (code !== 0) throw new Error(`madmail ${args.join(" ")} failed: ${text}`);
  return text;
}

function say(what: string, value: string): void {
  console.log(`${what.padEnd(36)}${value}`);
}

function megabytes(kilobytes: number): string {
  return `${(kilobytes / 1024).toFixed(0)} MB`;
}
