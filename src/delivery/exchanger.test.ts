import { expect, test } from "bun:test";
import { type Address, parseAddress } from "../core/address.ts";
import { toLatin1 } from "../core/bytes.ts";
import { ManualClock } from "../core/clock.ts";
import { accept, refuse, type Verdict } from "../core/verdict.ts";
import type { Event, Log } from "../log/events.ts";
import { type ExchangerFacts, ExchangerPoller } from "./exchanger.ts";
import type { Envelope, MailDoor } from "./intake.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const bob = parseAddress("bob@relay.test");

interface Taken {
  envelope: Envelope;
  text: string;
}

function world(rows: [string, Partial<ExchangerFacts>][] = [["one", {}]]) {
  const clock = new ManualClock();
  const events: Event[] = [];
  const log: Log = { emit: (event) => void events.push(event), counts: () => new Map() };
  const taken: Taken[] = [];
  const control: { verdict: Verdict; answer: () => Response | Promise<Response> } = {
    verdict: accept,
    answer: () => Response.json({ hash: "h", count: 0, messages: [] }),
  };
  const asked: { url: string; redirect: string | undefined }[] = [];
  const book = new Map(
    rows.map(([name, facts]) => [
      name,
      { url: "https://x.test/box", enabled: true, pollIntervalSec: 60, lastPollAtSec: 0, ...facts },
    ]),
  );
  const door: MailDoor = {
    messageMaxBytes: 1000,
    recipientsMax: 10,
    judgeSender: (_who, sender) =>
      sender === parseAddress("shut@out.test") ? refuse("peerRefused") : accept,
    judgeRecipient: (_who, _sender, recipient: Address) =>
      recipient.endsWith("@relay.test") ? accept : refuse("relayDenied"),
    open(envelope) {
      let text = "";
      return {
        write: (chunk) => void (text += toLatin1(chunk)),
        finish: async () => {
          taken.push({ envelope, text });
          return control.verdict;
        },
        abort: () => undefined,
      };
    },
  };
  const poller = new ExchangerPoller({
    exchangers: {
      entries: () => book.entries(),
      notePoll: (name) => {
        const row = book.get(name);
        if (row !== undefined) row.lastPollAtSec = clock.nowMs() / 1000;
      },
    },
    door,
    fetch: async (url, init) => {
      asked.push({ url, redirect: init.redirect });
      return await control.answer();
    },
    clock,
    log,
  });
  const advance = async (ms: number) => {
    clock.advance(ms);
    for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return { poller, clock, events, taken, control, asked, book, advance };
}

const message = {
  id: 1,
  from: "eve@peer.test",
  to: ["<Bob@relay.test>", "x@else.test"],
  body: base64("hello"),
};

test("a message that an exchanger holds comes through the door, once, as mail over HTTP", async () => {
  const w = world();
  w.control.answer = () => Response.json({ messages: [message] });
  await w.poller.start();
  await w.advance(9_999);
  expect(w.asked).toEqual([]);
  await w.advance(1);
  await w.advance(60_000);
  expect(w.asked).toEqual([
    { url: "https://x.test/box/me/full", redirect: "manual" },
    { url: "https://x.test/box/me/full", redirect: "manual" },
  ]);
  expect(w.taken).toEqual([
    {
      envelope: {
        via: "http",
        login: null,
        sender: parseAddress("eve@peer.test") ?? null,
        recipients: [bob].flatMap((each) => each ?? []),
      },
      text: "hello",
    },
  ]);
  await w.poller.stop();
});

test("what was refused for now is asked for again, what was refused for good is not", async () => {
  const w = world();
  w.control.answer = () => Response.json({ messages: [message] });
  w.control.verdict = refuse("storageFull");
  await w.poller.start();
  await w.advance(10_000);
  w.control.verdict = refuse("encryptionNeeded");
  await w.advance(60_000);
  await w.advance(60_000);
  expect(w.taken).toHaveLength(2);
  await w.poller.stop();
});

const nothingRows: readonly [name: string, answer: () => Response | Promise<Response>, notices: number][] = [
  ["404 is an empty box", () => new Response("", { status: 404 }), 0],
  [
    "a redirect is not followed",
    () => new Response("", { status: 302, headers: { location: "http://127.0.0.1/" } }),
    1,
  ],
  ["garbage is trouble", () => new Response("<html>"), 1],
  ["a list of nonsense is trouble", () => Response.json({ messages: [{ id: 1 }] }), 1],
  ["a broken connection is trouble", () => Promise.reject(new Error("reset")), 1],
  ["a sender who is shut out", () => Response.json({ messages: [{ ...message, from: "shut@out.test" }] }), 0],
  ["recipients elsewhere", () => Response.json({ messages: [{ ...message, to: ["x@else.test"] }] }), 0],
];
for (const [name, answer, notices] of nothingRows) {
  test(`nothing is delivered: ${name}`, async () => {
    const w = world();
    w.control.answer = answer;
    await w.poller.start();
    await w.advance(10_000);
    expect(w.asked).toHaveLength(1);
    expect(w.taken).toEqual([]);
    expect(w.events.filter(({ kind }) => kind === "notice")).toHaveLength(notices);
    await w.poller.stop();
  });
}

test("without an enabled exchanger nobody is asked, until one is there", async () => {
  const w = world([["off", { enabled: false }]]);
  await w.poller.start();
  await w.advance(600_000);
  expect(w.asked).toEqual([]);
  const row = w.book.get("off");
  if (row !== undefined) row.enabled = true;
  w.poller.look();
  await w.advance(0);
  expect(w.asked).toHaveLength(1);
  await w.poller.stop();
});

test("a poll that hangs ends with the stop, and no second one is begun beside it", async () => {
  const w = world();
  const hanging = Promise.withResolvers<Response>();
  w.control.answer = () => hanging.promise;
  await w.poller.start();
  await w.advance(10_000);
  await w.advance(600_000);
  expect(w.asked).toHaveLength(1);
  const stopping = w.poller.stop();
  hanging.reject(new Error("aborted"));
  await stopping;
});
