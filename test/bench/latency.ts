/** From the first byte of MAIL FROM to the EXISTS in another client's IDLE, and to its having the body. */
import type { ImapClient } from "../support/imap-client.ts";
import { joinMail, pgpBody } from "../support/pgp-mail.ts";
import type { Relay } from "../support/relay.ts";
import { cpuMs, type Figure, imapLogin, percentile, type Scenario, smtpLogin, withRelay } from "./lab.ts";

const WARM_UP = 30;
const sizes = [
  { label: "10 kB", bytes: 10_000, count: 300 },
  { label: "100 kB", bytes: 100_000, count: 150 },
  { label: "1 MB", bytes: 1_000_000, count: 60 },
] as const;
/** What Delta Chat asks first of every new message. */
const PREFETCH =
  "(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE X-MICROSOFT-ORIGINAL-MESSAGE-ID FROM CONTENT-TYPE SECURE-JOIN CHAT-VERSION CHAT-IS-POST-MESSAGE AUTOCRYPT-SETUP-MESSAGE)])";

interface Times {
  push: number[];
  body: number[];
}

export const latency: Scenario = {
  name: "latency",
  run: () =>
    withRelay("latency", async (relay) => {
      const figures: Figure[] = [];
      for (const { label, bytes, count } of sizes) {
        const before = cpuMs(relay.pid);
        const { push, body } = await measure(relay, bytes, count, "kept");
        const cpu = (cpuMs(relay.pid) - before) / (count + WARM_UP);
        const first = bytes === 10_000;
        figures.push(
          ms(`submit → IDLE push, ${label}, p50`, percentile(push, 0.5), first ? 1.5 : undefined),
          ms(`submit → IDLE push, ${label}, p99`, percentile(push, 0.99), first ? 5 : undefined),
          ms(
            `submit → body fetched, ${label}, p50`,
            percentile(body, 0.5),
            bytes === 1_000_000 ? 12 : undefined,
          ),
          ms(`server CPU, one at a time with fetch, ${label}`, cpu),
        );
      }
      const { push } = await measure(relay, 10_000, 150, "new");
      figures.push(
        ms("submit → IDLE push, new connection each, p50", percentile(push, 0.5), 4),
        ms("submit → IDLE push, new connection each, p99", percentile(push, 0.99)),
      );
      return figures;
    }),
};

async function measure(relay: Relay, bytes: number, count: number, how: "kept" | "new"): Promise<Times> {
  const from = `latsender${bytes}@${relay.domain}`;
  const to = `latreader${bytes}@${relay.domain}`;
  const body = await pgpBody(bytes);
  let smtp = await smtpLogin(relay, from);
  const imap = await imapLogin(relay, to);
  let { uidNext } = await imap.select();
  const times: Times = { push: [], body: [] };
  for (let i = -WARM_UP; i < count; i++) {
    const mail = joinMail({ from, messageId: `lat-${bytes}-${how}-${i}@localhost` }, body);
    const idle = await imap.idle();
    const startedAt = performance.now();
    if (how === "new") smtp = await smtpLogin(relay, from);
    const sending = smtp.send({ from, to: [to] }, mail);
    await untilExists(imap);
    const pushed = performance.now() - startedAt;
    await imap.done(idle);
    await imap.ok(`UID FETCH ${uidNext}:${uidNext + 499} ${PREFETCH}`);
    const got = await imap.fetch(String(uidNext));
    const fetched = performance.now() - startedAt;
    const reply = await sending;
    if (reply.code !== 250) throw new Error(`refused: ${reply.code} ${reply.lines.join(" ")}`);
    if ((got[0]?.body?.length ?? 0) < body.length) throw new Error("the body is not whole");
    if (how === "new") smtp.link.close();
    // As the client does; not part of the figure.
    await imap.ok(`UID STORE ${uidNext} +FLAGS (\\Deleted)`);
    await imap.ok("CLOSE");
    ({ uidNext } = await imap.select());
    if (i < 0) continue;
    times.push.push(pushed);
    times.body.push(fetched);
  }
  imap.close();
  smtp.link.close();
  return times;
}

async function untilExists(imap: ImapClient): Promise<void> {
  while (!(await imap.next()).text.endsWith(" EXISTS"));
}

function ms(name: string, value: number, max?: number): Figure {
  return { name, value, unit: "ms", ...(max === undefined ? {} : { budget: { max } }) };
}
