/** Load against the compiled relay: peers that do not read, that come in crowds, that write to a thousand people. */
import { readFileSync } from "node:fs";
import { connect, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { ImapClient } from "../support/imap-client.ts";
import { joinMail, pgpBody, pgpMessage } from "../support/pgp-mail.ts";
import { Relay } from "../support/relay.ts";
import { SmtpClient } from "../support/smtp-client.ts";

const PASSWORD = "correct-horse-battery";
const SLOW_READERS = 200;
const SLOW_BYTES = 10_000_000;
/** What waits for one of them, with session and TLS. All bodies would be two gigabytes. */
const HELD_PER_READER_KB = 512;
/** Garbage goes a while after it fell off. */
const TURNS_MAX = 200;
const TURN_MS = 50;
const RECIPIENTS_MAX = 1000;
let relay: Relay;
let user: string;

beforeAll(async () => {
  relay = await Relay.start({ name: "load", config: { limits: { recipients: RECIPIENTS_MAX } } });
  user = relay.address("loadpeer1");
  (await logIn(user)).close();
});

afterAll(async () => {
  await relay?.dispose();
});

test(`${SLOW_READERS} clients that fetch 10 MB and do not read hold little memory, and hold up nobody`, async () => {
  const imap = await logIn(user);
  const message = await pgpMessage({ from: user, messageId: "big@localhost", bytes: SLOW_BYTES });
  const tag = imap.send(`APPEND INBOX {${message.length}+}`);
  imap.link.write(Buffer.concat([message, Buffer.from("\r\n")]));
  expect((await imap.answer(tag)).status).toBe("OK");
  const before = residentKb();
  const readers = await Promise.all(Array.from({ length: SLOW_READERS }, () => startReading()));
  // Those who behave are served while all the others wait.
  expect(await imap.select()).toMatchObject({ exists: 1 });
  expect((await imap.fetch("1"))[0]?.body?.equals(message)).toBe(true);
  let grownKb = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < TURNS_MAX && grownKb >= SLOW_READERS * HELD_PER_READER_KB; turn++) {
    await imap.ok("NOOP");
    await Bun.sleep(TURN_MS);
    grownKb = residentKb() - before;
  }
  expect(grownKb).toBeLessThan(SLOW_READERS * HELD_PER_READER_KB);

  // Who reads after all gets everything.
  const [late, ...others] = readers;
  if (late === undefined) throw new Error("no readers");
  expect(await readOn(late, message.length)).toBeGreaterThanOrEqual(message.length);
  for (const { socket } of [late, ...others]) socket.destroy();
  expect((await imap.ok("NOOP")).status).toBe("OK");
  imap.close();
}, 60_000);

test("one message to a thousand recipients: accepted at once, one copy each, one report for those unknown", async () => {
  const smtp = await SmtpClient.open({ port: relay.ports.submissions, tls: true });
  expect((await smtp.auth(user, PASSWORD)).code).toBe(235);
  const to = [user, ...Array.from({ length: RECIPIENTS_MAX - 1 }, (_, i) => `nobody${i}@${relay.domain}`)];
  const mail = joinMail({ from: user, messageId: "thousand@localhost" }, await pgpBody(10_000));
  expect((await smtp.send({ from: user, to }, mail)).code).toBe(250);
  // One more is told so, and it only.
  expect((await smtp.command(`MAIL FROM:<${user}>`)).code).toBe(250);
  smtp.link.write([...to, `more@${relay.domain}`].map((address) => `RCPT TO:<${address}>\r\n`).join(""));
  const replies: number[] = [];
  for (let i = 0; i <= RECIPIENTS_MAX; i++) replies.push((await smtp.reply()).code);
  expect(new Set(replies.slice(0, -1))).toEqual(new Set([250]));
  expect(replies.at(-1)).toBe(452);
  await smtp.quit();

  const imap = await logIn(user);
  const ids = [...(await imap.messageIds()).values()];
  expect(ids.filter((id) => id === "<thousand@localhost>")).toHaveLength(1);
  const [report] = await imap.fetch(String(ids.length));
  const text = report?.body?.toString("latin1") ?? "";
  expect(text.match(/^Final-Recipient: /gm)).toHaveLength(RECIPIENTS_MAX - 1);
  imap.close();
});

test("connections above the cap of an address are closed at once, and there is room again when others leave", async () => {
  const small = await Relay.start({ name: "load-cap", config: { limits: { connections_per_address: 5 } } });
  try {
    const open = () => ImapClient.open({ port: small.ports.imaps, tls: true, readTimeoutMs: 5_000 });
    const clients = await Promise.all(Array.from({ length: 5 }, open));
    expect(await open().catch(() => "refused")).toBe("refused");
    // Any port counts.
    expect(await SmtpClient.open({ port: small.ports.smtp }).catch(() => "refused")).toBe("refused");
    await clients[0]?.command("LOGOUT");
    await clients[0]?.link.closed;
    // The server may see that end a moment later than we do.
    let again: ImapClient | undefined;
    for (let tries = 0; tries < TURNS_MAX && again === undefined; tries++) {
      again = await open().catch(() => undefined);
    }
    expect(again?.greeting).toStartWith("* OK");
    for (const client of [again, ...clients]) client?.close();
  } finally {
    await small.dispose();
  }
});

test("nothing the relay printed names a user", () => {
  expect(relay.leaks(["nobody1"])).toEqual([]);
});

interface Reader {
  socket: TLSSocket;
  bytes: number;
}

/** Logs in, asks for the message, and stops reading when its answer has begun. */
function startReading(): Promise<Reader> {
  const socket = connect({ host: "127.0.0.1", port: relay.ports.imaps, rejectUnauthorized: false });
  return new Promise((resolve, reject) => {
    const reader: Reader = { socket, bytes: 0 };
    let text = "";
    socket.on("error", reject);
    socket.on("data", (bytes: Buffer) => {
      reader.bytes += bytes.length;
      if (text.includes("BODY[]")) return;
      text += bytes.toString("latin1");
      if (!text.includes("BODY[]")) return;
      socket.pause();
      resolve(reader);
    });
    socket.write(`a LOGIN ${user} ${PASSWORD}\r\nb SELECT INBOX\r\nc UID FETCH 1 (BODY.PEEK[])\r\n`);
  });
}

/** Reads on until the answer has so many bytes. */
function readOn(reader: Reader, bytes: number): Promise<number> {
  return new Promise((resolve) => {
    const look = () => {
      if (reader.bytes >= bytes) resolve(reader.bytes);
    };
    reader.socket.on("data", look);
    reader.socket.resume();
    look();
  });
}

function residentKb(): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${relay.pid}/status`, "latin1"))?.[1]);
}

async function logIn(address: string): Promise<ImapClient> {
  const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
  expect((await imap.login(address, PASSWORD)).status).toBe("OK");
  return imap;
}
