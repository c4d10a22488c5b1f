import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { FakeDoor, FakeLog } from "../../test/talks/smtp/fakes.ts";
import { toLatin1 } from "../core/bytes.ts";
import { ManualClock } from "../core/clock.ts";
import { Inbound } from "./inbound.ts";

const MESSAGE = "From: far@away.test\r\n\r\nhello\r\n";
let door = new FakeDoor();
const clock = new ManualClock();
let inbound: Inbound;
let server: Bun.Server<undefined>;

beforeAll(() => {
  server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => inbound.answer(request) });
});
afterAll(() => server.stop(true));
beforeEach(() => {
  door = new FakeDoor();
  const log = new FakeLog();
  const settings = { perMinute: 60, burst: 5, messageMaxBytes: 1e9 };
  inbound = new Inbound({ settings, door, peerAddress: () => "192.0.2.1", log, clock });
  clock.advance(3_600_000);
});

interface Ask {
  method?: string;
  from?: string | null;
  to?: readonly string[];
  body?: string;
}

async function post({
  method = "POST",
  from = "far@away.test",
  to = ["ada@relay.test"],
  body = MESSAGE,
}: Ask) {
  const headers = new Headers();
  if (from !== null) headers.append("X-Mail-From", from);
  for (const recipient of to) headers.append("x-mail-to", recipient);
  const init = method === "GET" ? { headers, method } : { headers, method, body };
  const response = await fetch(`http://127.0.0.1:${server.port}/mxdeliv`, init);
  return `${response.status} ${await response.text()}`;
}

const rows: readonly [name: string, ask: Ask, want: string, taken: number][] = [
  ["a message", {}, "200 250 OK", 1],
  ["no POST", { method: "GET" }, "405 502 5.5.1 Method not allowed", 0],
  ["no recipient", { to: [] }, "400 503 5.5.1 Missing X-Mail-To header", 0],
  ["a bounce with an empty sender", { from: "" }, "200 250 OK", 1],
  ["a bounce with <>", { from: "<>" }, "200 250 OK", 1],
  ["a bounce without the field", { from: null }, "200 250 OK", 1],
  ["angle brackets", { from: "<far@away.test>", to: ["<ada@relay.test>"] }, "200 250 OK", 1],
  ["a sender that is no address", { from: "far" }, "400 501 5.1.7 Bad sender address syntax", 0],
  ["two senders", { from: "a@b.test, c@d.test" }, "400 501 5.1.7 Bad sender address syntax", 0],
  [
    "a recipient that is no address",
    { to: ["ada@relay.test", "x"] },
    "400 501 5.1.3 Bad recipient address syntax",
    0,
  ],
  ["a recipient elsewhere", { to: ["ada@relay.test", "x@else.test"] }, "403 550 5.7.1 Relaying denied", 0],
  ["a sender refused", { from: "senderRefused@away.test" }, "403 554 5.7.1 Policy Rejection", 0],
  ["only dropped recipients", { to: ["ghost@relay.test"] }, "200 250 OK", 0],
  [
    "too many recipients",
    { to: Array.from({ length: 6 }, (_, i) => `u${i}@relay.test`) },
    "429 452 4.5.3 Too many recipients",
    0,
  ],
  [
    "a verdict after the body",
    { body: "Subject: encryptionNeeded\r\n\r\n" },
    "403 523 5.7.1 Encryption Needed: Invalid Unencrypted Mail",
    0,
  ],
  ["a message dropped after the body", { body: "Subject: silentlyDismissed\r\n\r\n" }, "200 250 OK", 0],
  ["a message too big", { body: "x".repeat(2001) }, "413 552 5.3.4 Message exceeds maximum size", 0],
];
for (const [name, ask, want, taken] of rows) {
  test(`/mxdeliv: ${name}`, async () => {
    expect(await post(ask)).toBe(want);
    expect(door.taken.length).toBe(taken);
  });
}

test("dropped recipients leave the others in, each once", async () => {
  await post({ to: ["ghost@relay.test", "ADA@relay.test", "ada@relay.test", "bob@relay.test"] });
  expect(door.taken[0]?.envelope.recipients.join()).toBe("ada@relay.test,bob@relay.test");
});

const lineRows: readonly [body: string, want: string][] = [
  ["a\nb\n", "a\r\nb\r\n"],
  ["a\r\nb\nc", "a\r\nb\r\nc\r\n"],
  ["\n\n", "\r\n\r\n"],
  ["a\rb\r\n", "a\rb\r\n"],
];
for (const [body, want] of lineRows) {
  test(`the body ${JSON.stringify(body)} reaches the door as ${JSON.stringify(want)}`, async () => {
    await post({ body });
    expect(door.taken[0]?.text).toBe(want);
  });
}

test("a peer that brings too much waits, another one does not", async () => {
  const answers: string[] = [];
  for (let i = 0; i < 6; i++) answers.push(await post({}));
  expect(answers.map((answer) => answer.slice(0, 3))).toEqual(["200", "200", "200", "200", "200", "429"]);
  clock.advance(1000);
  expect(await post({})).toBe("200 250 OK");
});

/** Sends bytes as they are. @returns what came back */
async function raw(pieces: readonly string[], close: boolean): Promise<string> {
  let heard = "";
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: server.port ?? 0,
    socket: {
      data(_, bytes) {
        heard += toLatin1(bytes);
        resolve();
      },
      close: () => resolve(),
      error: () => resolve(),
    },
  });
  for (const piece of pieces) {
    socket.write(piece);
    socket.flush();
  }
  if (close) socket.end();
  await promise;
  socket.terminate();
  return heard;
}
const HEAD =
  "POST /mxdeliv HTTP/1.1\r\nHost: x\r\nX-Mail-To: ada@relay.test\r\nX-MAIL-TO: bob@relay.test\r\n";

test("fields that come twice are two recipients", async () => {
  const heard = await raw([`${HEAD}Content-Length: ${MESSAGE.length}\r\n\r\n${MESSAGE}`], false);
  expect(heard).toStartWith("HTTP/1.1 200 OK");
  expect(door.taken[0]?.envelope.recipients.length).toBe(2);
});

test("a body in chunks is taken, one that is too big is refused while it comes", async () => {
  const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
  const head = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
  expect(await raw([head, chunk(MESSAGE), chunk("more\r\n"), "0\r\n\r\n"], false)).toStartWith(
    "HTTP/1.1 200",
  );
  expect(door.taken[0]?.text).toBe(`${MESSAGE}more\r\n`);
  expect(await raw([head, chunk("x".repeat(1500)), chunk("x".repeat(1500))], false)).toStartWith(
    "HTTP/1.1 413",
  );
  expect(door.abortedCount).toBe(1);
});

for (const [name, head] of [
  ["announced longer", `${HEAD}Content-Length: ${MESSAGE.length + 5}\r\n\r\n${MESSAGE}`],
  [
    "whose last chunk never came",
    `${HEAD}Transfer-Encoding: chunked\r\n\r\n${MESSAGE.length.toString(16)}\r\n${MESSAGE}\r\n`,
  ],
] as const) {
  test(`a message ${name} is not taken when the peer goes`, async () => {
    await raw([head], true);
    // The next request is answered behind it.
    while (door.abortedCount === 0) await post({ to: [] });
    expect(door.taken.length).toBe(0);
  });
}
