import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { parseAddress } from "../../core/address.ts";
import { concat, fromLatin1, fromUtf8, toLatin1 } from "../../core/bytes.ts";
import { DotStuffer } from "./dot-stuffer.ts";
import { type ClientEffect, type ClientOptions, SmtpClientEngine, type TransactionReport } from "./engine.ts";
import { REPLY_LINE_MAX_BYTES } from "./limits.ts";
import { ReplyReader } from "./reply-reader.ts";

function address(text: string) {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error("fixture");
  return parsed;
}
const [me, ada, bob] = ["me@here.test", "ada@there.test", "bob@there.test"].map(address) as [
  ReturnType<typeof address>,
  ReturnType<typeof address>,
  ReturnType<typeof address>,
];

/** Replies by the first words of a line; what is not in it gets 250. */
type Script = Record<string, string>;
type Cut = "whole" | "bytes" | number;

const EHLO = "250-there.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 STARTTLS\r\n";

interface Talk {
  said: string[];
  reports: TransactionReport[];
  closed: Extract<ClientEffect, { do: "close" }> | undefined;
}

/** Plays a server until both sides are silent. */
function play(script: Script, cut: Cut, options: Partial<ClientOptions> = {}, transactions = 1): Talk {
  const engine = new SmtpClientEngine({ tls: "none", helloName: "here.test", ...options });
  const talk: Talk = { said: [], reports: [], closed: undefined };
  const answer = (line: string) => {
    const key = Object.keys(script).find((words) => line.startsWith(words));
    if (key !== undefined) return script[key] ?? "";
    if (line.startsWith("EHLO")) return EHLO;
    if (line === "STARTTLS") return "220 go\r\n";
    if (line === "DATA") return "354 go\r\n";
    return line === "." ? "250 2.0.0 queued\r\n" : "250 2.1.0 OK\r\n";
  };
  let input = script["greeting"] ?? "220 there.test ESMTP\r\n";
  let begun = 0;
  let plainLeft = 0;
  const run = (effects: ClientEffect[]) => {
    for (const effect of effects) {
      if (effect.do === "send") {
        for (const line of effect.text.trimEnd().split("\r\n")) {
          talk.said.push(line);
          input += answer(line);
        }
      } else if (effect.do === "startTls") {
        // What came in clear behind the answer: the socket finds it before it starts the handshake.
        if (plainLeft > 0) {
          run(engine.interrupted("input before TLS"));
          continue;
        }
        talk.said.push("(TLS)");
        run(engine.secured());
      } else if (effect.do === "sendBody") {
        talk.said.push("(body)");
        input += answer(".");
        run(engine.bodySent());
      } else if (effect.do === "report") talk.reports.push(effect.report);
      else if (effect.do === "close") talk.closed = effect;
      else if (begun++ < transactions) {
        run(engine.begin({ sender: me, recipients: [ada, bob], bytes: 500 }));
      }
    }
  };
  for (let turn = 0; input !== "" && turn < 40; turn++) {
    const bytes = fromLatin1(input);
    input = "";
    const ends =
      cut === "whole"
        ? [bytes.length]
        : cut === "bytes"
          ? [...bytes.keys()].map((i) => i + 1)
          : [cut, bytes.length];
    let at = 0;
    for (const end of ends) {
      plainLeft = bytes.length - Math.max(at, end);
      run(engine.feed(bytes.slice(at, end)));
      at = Math.max(at, end);
    }
  }
  return talk;
}

const outcomesOf = (talk: Talk) =>
  talk.reports.map((report) =>
    [...report.outcomes.values()].map((outcome) =>
      outcome.do === "sent" ? "sent" : `${outcome.do} ${outcome.reply.code} ${outcome.reply.enhanced}`.trim(),
    ),
  );

const MAIL = "MAIL FROM:<me@here.test> SIZE=500 BODY=8BITMIME";
const SEND = [MAIL, "RCPT TO:<ada@there.test>", "RCPT TO:<bob@there.test>", "DATA", "(body)"];
const noTls = EHLO.replace("250 STARTTLS", "250 HELP");

const rows: readonly [
  name: string,
  script: Script,
  options: Partial<ClientOptions>,
  said: string[],
  outcomes: string[][],
  closed?: string,
][] = [
  ["a message to two", {}, {}, ["EHLO here.test", ...SEND], [["sent", "sent"]]],
  [
    "STARTTLS first where it is required",
    {},
    { tls: "required" },
    ["EHLO here.test", "STARTTLS", "(TLS)", "EHLO here.test", ...SEND],
    [["sent", "sent"]],
  ],
  [
    "no mail in clear where TLS is required",
    { EHLO: noTls },
    { tls: "required" },
    ["EHLO here.test"],
    [],
    "the server offers no STARTTLS",
  ],
  [
    "clear where TLS is a wish",
    { EHLO: noTls },
    { tls: "opportunistic" },
    ["EHLO here.test", ...SEND],
    [["sent", "sent"]],
  ],
  [
    "STARTTLS refused where TLS is a wish",
    { STARTTLS: "454 4.7.0 not now\r\n" },
    { tls: "opportunistic" },
    ["EHLO here.test", "STARTTLS", ...SEND],
    [["sent", "sent"]],
  ],
  [
    "STARTTLS refused where it is required",
    { STARTTLS: "454 4.7.0 not now\r\n" },
    { tls: "required" },
    ["EHLO here.test", "STARTTLS"],
    [],
    "the server refused STARTTLS",
  ],
  [
    "words slipped in behind the answer to STARTTLS",
    { STARTTLS: "220 go\r\n250-x" },
    { tls: "required" },
    ["EHLO here.test", "STARTTLS"],
    [],
    "input before TLS",
  ],
  [
    "HELO for an old server, one RCPT at a time",
    { EHLO: "502 what\r\n" },
    {},
    ["EHLO here.test", "HELO here.test", "MAIL FROM:<me@here.test>", ...SEND.slice(1)],
    [["sent", "sent"]],
  ],
  [
    "one of two recipients refused",
    { "RCPT TO:<ada": "550 5.1.1 No such user\r\n" },
    {},
    ["EHLO here.test", ...SEND],
    [["fail 550 5.1.1", "sent"]],
  ],
  [
    "all recipients refused: no DATA",
    { RCPT: "550 No\r\n" },
    {},
    ["EHLO here.test", ...SEND.slice(0, 3), "RSET"],
    [["fail 550", "fail 550"]],
  ],
  [
    "a sender refused: recipients say nothing more",
    { MAIL: "450 4.7.1 Slow down\r\n", RCPT: "503 No sender\r\n" },
    {},
    ["EHLO here.test", ...SEND.slice(0, 3), "RSET"],
    [["defer 450 4.7.1", "defer 450 4.7.1"]],
  ],
  [
    "DATA refused",
    { DATA: "451 4.3.0 Disk\r\n" },
    {},
    ["EHLO here.test", ...SEND.slice(0, 4), "RSET"],
    [["defer 451 4.3.0", "defer 451 4.3.0"]],
  ],
  [
    "a message refused at its end",
    { ".": "554-5.7.1 No\r\n554 5.7.1 signature\r\n" },
    {},
    ["EHLO here.test", ...SEND],
    [["fail 554 5.7.1", "fail 554 5.7.1"]],
  ],
  [
    "a message larger than the server takes is not begun",
    { EHLO: "250-there\r\n250 SIZE 499\r\n" },
    {},
    ["EHLO here.test"],
    [["fail 552 5.3.4", "fail 552 5.3.4"]],
  ],
  [
    "421 in the middle defers everybody",
    { "RCPT TO:<bob": "421 4.3.2 Bye\r\n" },
    {},
    ["EHLO here.test", ...SEND.slice(0, 3)],
    [["defer 421 4.3.2", "defer 421 4.3.2"]],
    "the server ended the session",
  ],
  [
    "a session refused in the greeting",
    { greeting: "554 5.7.1 Go away\r\n" },
    {},
    [],
    [],
    "the server refused the session",
  ],
  [
    "a peer that is no SMTP server",
    { greeting: "HTTP/1.1 400 Bad\r\n\r\n" },
    {},
    [],
    [],
    "the server sent what is no SMTP reply",
  ],
  [
    "lines of one reply with different codes",
    { EHLO: "250-a\r\n550 b\r\n" },
    {},
    ["EHLO here.test"],
    [],
    "the server sent what is no SMTP reply",
  ],
  [
    "an answer that nobody asked for",
    { ".": "250 OK\r\n250 and more\r\n" },
    {},
    ["EHLO here.test", ...SEND],
    [["sent", "sent"]],
    "the server ended the session",
  ],
];

for (const [name, script, options, said, outcomes, closed] of rows) {
  test(`the client: ${name}`, () => {
    const cuts: Cut[] = ["whole", "bytes", ...Array.from({ length: 40 }, (_, i) => i)];
    for (const cut of cuts) {
      const talk = play(script, cut, options);
      expect({ said: talk.said, outcomes: outcomesOf(talk), closed: talk.closed?.why, cut }).toEqual({
        said,
        outcomes,
        closed,
        cut,
      });
    }
  });
}

test("a session carries one message after the other", () => {
  const talk = play({}, "whole", {}, 3);
  expect(talk.said.filter((line) => line === MAIL).length).toBe(3);
  expect(outcomesOf(talk)).toEqual([
    ["sent", "sent"],
    ["sent", "sent"],
    ["sent", "sent"],
  ]);
});

test("recipients beyond the server's number are worth another transaction", () => {
  const talk = play({ "RCPT TO:<bob": "452 4.5.3 Too many\r\n" }, "whole");
  expect(talk.reports[0]?.again).toEqual([bob]);
  expect(outcomesOf(talk)).toEqual([["sent", "defer 452 4.5.3"]]);
});

test("an address beyond ASCII needs SMTPUTF8", () => {
  for (const [extensions, want] of [
    ["250-there\r\n250 SMTPUTF8\r\n", "sent"],
    ["250 there\r\n", "fail 553 5.6.7"],
  ] as const) {
    const engine = new SmtpClientEngine({ tls: "none", helloName: "here.test" });
    engine.feed(fromLatin1("220 x\r\n"));
    engine.feed(fromLatin1(extensions));
    const begun = engine.begin({ sender: null, recipients: [address("jürgen@there.test")], bytes: 1 });
    if (want === "sent") expect(begun[0]).toEqual({ do: "send", text: "MAIL FROM:<> SMTPUTF8\r\n" });
    else
      expect(
        JSON.stringify([...(begun[0] as { report: TransactionReport }).report.outcomes.values()]),
      ).toContain("5.6.7");
  }
});

test("whatever the server says, at most one report comes, with every recipient in it", () => {
  const noise = fc.array(
    fc.oneof(
      fc.constantFrom(
        "220 x\r\n",
        "250 x\r\n",
        "250-x\r\n",
        "354 x\r\n",
        "451 x\r\n",
        "550 x\r\n",
        "421 x\r\n",
        "x\r\n",
      ),
      fc.string({ maxLength: 8 }),
    ),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(noise, (pieces) => {
      const engine = new SmtpClientEngine({ tls: "opportunistic", helloName: "h" });
      const reports: TransactionReport[] = [];
      let closes = 0;
      const run = (effects: ClientEffect[]) => {
        for (const effect of effects) {
          if (effect.do === "report") reports.push(effect.report);
          else if (effect.do === "close") closes++;
          else if (effect.do === "startTls") run(engine.secured());
          else if (effect.do === "sendBody") run(engine.bodySent());
          else if (effect.do === "ready" && reports.length === 0) {
            run(engine.begin({ sender: me, recipients: [ada, bob], bytes: 1 }));
          }
        }
      };
      for (const piece of pieces) run(engine.feed(fromUtf8(piece)));
      run(engine.interrupted("closed"));
      expect(closes).toBe(1);
      expect(reports.length).toBeLessThanOrEqual(1);
      for (const report of reports) expect([...report.outcomes.keys()]).toEqual([ada, bob]);
    }),
    { numRuns: 500 },
  );
});

test("a line without end is given up, not kept", () => {
  const reader = new ReplyReader();
  reader.feed(new Uint8Array(REPLY_LINE_MAX_BYTES).fill(50));
  expect(reader.isBroken).toBe(false);
  reader.feed(new Uint8Array(1).fill(50));
  expect(reader.isBroken).toBe(true);
});

const dotRows: readonly [text: string, want: string][] = [
  ["a\r\n", "a\r\n.\r\n"],
  ["a", "a\r\n.\r\n"],
  [".\r\n", "..\r\n.\r\n"],
  ["..a\r\n.b.\r\n", "...a\r\n..b.\r\n.\r\n"],
  ["a\r\n.\r\nMAIL FROM:<x>\r\n", "a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n"],
  ["a\n.\nb\r.\rc", "a\n..\nb\r..\rc\r\n.\r\n"],
  ["", ".\r\n"],
];
for (const [text, want] of dotRows) {
  test(`the body ${JSON.stringify(text)} leaves as ${JSON.stringify(want)}, however it is cut`, () => {
    const bytes = fromLatin1(text);
    for (let cut = 0; cut <= bytes.length; cut++) {
      for (const pieces of [
        [bytes.subarray(0, cut), bytes.subarray(cut)],
        [...bytes].map((b) => Uint8Array.of(b)),
      ]) {
        const stuffer = new DotStuffer();
        const out = pieces.flatMap((piece) => stuffer.write(piece));
        expect(toLatin1(concat([...out, stuffer.end()]))).toBe(want);
      }
    }
  });
}
