/** Messages per second that are accepted, and counted in the mailboxes afterwards; fan-out; CPU of the server. */
import { joinMail, pgpBody } from "../support/pgp-mail.ts";
import type { Relay } from "../support/relay.ts";
import type { SmtpClient } from "../support/smtp-client.ts";
import { cpuMs, type Figure, imapLogin, makeUsers, type Scenario, smtpLogin, withRelay } from "./lab.ts";

const WARM_UP_MS = 1_000;
const MEASURE_MS = 4_000;
const BYTES = 10_000;

interface Load {
  senders: number;
  /** Recipients of each message. */
  fan: number;
}

interface Result {
  copiesPerSecond: number;
  cpuMsPerCopy: number;
  cpuMsPerMessage: number;
}

export const throughput: Scenario = {
  name: "throughput",
  run: async () => {
    const figures: Figure[] = [];
    for (const senders of [1, 8, 32]) {
      const { copiesPerSecond, cpuMsPerCopy } = await withRelay(`throughput-${senders}`, (relay) =>
        measure(relay, { senders, fan: 1 }),
      );
      figures.push(
        // The budget is 12 times the peers' 124 delivered messages/s.
        rate(`messages/s, ${senders} senders`, copiesPerSecond, senders === 8 ? 1_490 : undefined),
        cpu(`server CPU per message, ${senders} senders`, cpuMsPerCopy, senders === 8 ? 0.7 : undefined),
      );
    }
    return figures;
  },
};

export const fanout: Scenario = {
  name: "fanout",
  run: async () => {
    const figures: Figure[] = [];
    for (const fan of [10, 50]) {
      const result = await withRelay(`fanout-${fan}`, (relay) => measure(relay, { senders: 4, fan }));
      figures.push(
        // 25 times the peers' 335 copies/s.
        rate(
          `copies/s, 1 message to ${fan} recipients`,
          result.copiesPerSecond,
          fan === 10 ? 8_375 : undefined,
        ),
        cpu(`server CPU per message to ${fan}`, result.cpuMsPerMessage),
      );
    }
    return figures;
  },
};

async function measure(relay: Relay, { senders, fan }: Load): Promise<Result> {
  const from = await makeUsers(relay, "tpsender", senders);
  const to = await makeUsers(relay, "tpreader", fan === 1 ? senders : fan);
  const clients = await Promise.all(from.map((user) => smtpLogin(relay, user)));
  const body = await pgpBody(BYTES);
  const counted = { messages: 0, measured: 0 };
  const clock = { measuring: false, over: false };
  const running = clients.map((client, i) => send(client, i));
  async function send(client: SmtpClient, index: number): Promise<void> {
    const sender = from[index] ?? "";
    const recipients = fan === 1 ? [to[index] ?? ""] : to;
    for (let n = 0; !clock.over; n++) {
      const mail = joinMail({ from: sender, messageId: `tp-${index}-${n}@localhost` }, body);
      const reply = await client.send({ from: sender, to: recipients }, mail);
      if (reply.code !== 250) throw new Error(`refused: ${reply.code} ${reply.lines.join(" ")}`);
      counted.messages++;
      if (clock.measuring) counted.measured++;
    }
  }
  const failed = Promise.all(running);
  await Promise.race([Bun.sleep(WARM_UP_MS), failed]);
  const cpuBefore = cpuMs(relay.pid);
  const startedAt = performance.now();
  clock.measuring = true;
  await Promise.race([Bun.sleep(MEASURE_MS), failed]);
  clock.measuring = false;
  const seconds = (performance.now() - startedAt) / 1000;
  const used = cpuMs(relay.pid) - cpuBefore;
  clock.over = true;
  await failed;
  for (const client of clients) client.link.close();
  await recount(relay, to, counted.messages * fan);
  return {
    copiesPerSecond: (counted.measured * fan) / seconds,
    cpuMsPerCopy: used / (counted.measured * fan),
    cpuMsPerMessage: used / counted.measured,
  };
}

/** Accepted is not enough: they must be in the mailboxes. */
async function recount(relay: Relay, users: readonly string[], wanted: number): Promise<void> {
  let found = 0;
  for (const user of users) {
    const imap = await imapLogin(relay, user);
    found += (await imap.select()).exists;
    imap.close();
  }
  if (found !== wanted) throw new Error(`${wanted} copies were accepted, ${found} are there`);
}

function rate(name: string, value: number, min?: number): Figure {
  return { name, value, unit: "/s", ...(min === undefined ? {} : { budget: { min } }) };
}

function cpu(name: string, value: number, max?: number): Figure {
  return { name, value, unit: "ms", ...(max === undefined ? {} : { budget: { max } }) };
}
