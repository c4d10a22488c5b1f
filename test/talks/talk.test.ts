import { describe, expect, test } from "bun:test";
import { fromLatin1, toLatin1 } from "../../src/core/bytes.ts";
import net from "node:net";
import { playEveryWay, playTalk, type TalkTarget } from "./play.ts";
import { canPlayOverSocket, openSocketTarget } from "./socket-target.ts";
import { matchesPattern, parseTalk, showBytes, unescapeBytes } from "./talk.ts";

/** Answers each line with itself in upper case; hangs up on QUIT; its clock speaks. */
class EchoTarget implements TalkTarget {
  #in = "";
  #out = "HELLO\r\n";
  closed = false;

  send(bytes: Uint8Array): void {
    this.#in += toLatin1(bytes);
    for (let end = this.#in.indexOf("\r\n"); end >= 0; end = this.#in.indexOf("\r\n")) {
      this.#out += `${this.#in.slice(0, end).toUpperCase()}\r\n`;
      this.closed ||= this.#in.startsWith("quit");
      this.#in = this.#in.slice(end + 2);
    }
  }
  output = (): Uint8Array => fromLatin1(this.#out);
  advance(ms: number): void {
    this.#out += `TICK ${ms}\r\n`;
  }
  secure(): void {
    this.#out += "SECURE\r\n";
  }
  event(event: { name: string; args: readonly string[] }): void {
    this.#out += `${event.name}/${event.args.join("/")}\r\n`;
  }
  settle = (): Promise<void> => Promise.resolve();
  dispose(): void {}
}

describe("matchesPattern()", () => {
  const rows: [pattern: string, line: string, want: boolean][] = [
    ["250 OK", "250 OK", true],
    ["250 OK", "250 OK ", false],
    ["250 *", "250 anything", true],
    ["250 *", "251 anything", false],
    ["2*0 * OK", "250 2.0.0 OK", true],
    ["2*0 * OK", "250 OK", false],
    ["*", "", true],
    ["a*a", "a", false],
    ["* 1 EXISTS", "* 1 EXISTS", true],
    ["* 1 EXISTS", "a * 1 EXISTS", false],
    ["* OK *", "* OK [UIDNEXT 1] x", true],
    ["* FLAGS (\\Seen \\[*])", "* FLAGS (\\Seen \\*)", true],
    ["* FLAGS (\\Seen \\[*])", "* FLAGS (\\Seen \\x)", false],
    ["[*][*]x*y", "**x--y", true],
    ["[*][*]x*y", "*-x--y", false],
  ];
  test.each(rows)("%p on %p", (pattern, line, want) => {
    expect(matchesPattern(pattern, line)).toBe(want);
  });
});

test("escapes become bytes, and shown bytes read like escapes", () => {
  const bytes = unescapeBytes("a\\r\\n\\0\\x80\\\\ é");
  expect([...bytes]).toEqual([97, 13, 10, 0, 0x80, 92, 32, 0xc3, 0xa9]);
  expect(showBytes(bytes)).toBe("a\\r\\n\\x00\\x80\\\\ \\xc3\\xa9");
  expect(() => unescapeBytes("\\q")).toThrow("no such escape");
});

test("a talk that the server keeps to passes in every way", async () => {
  const talk = parseTalk(
    "good",
    '# said\n@ mode "a b" c\nS: HELLO\nC: one\nC: two\nS: ONE\nS: T*\nT: +2s\nS~ TICK *\nT: tls\nS| SECURE\\r\\n\n@ x y\nS: x/y\nE: open\nC| quit\\r\\n\nS: QUIT\nE: close\n',
  );
  expect(talk.setup).toEqual([{ name: "mode", args: ["a b", "c"] }]);
  await playEveryWay(talk, () => new EchoTarget());
});

describe("a talk that the server does not keep to names the line", () => {
  const rows: [name: string, text: string, want: string][] = [
    ["a wrong line", "S: HELLO\nC: a\nS: B", "t:3: *got A (wanted: B)"],
    ["a missing line", "S: HELLO\nC: a\nS: A\nS: B", "t:4: *got nothing*"],
    ["an unexpected line", "S: HELLO\nC: a\nC: b\nS: A\nC: c", "t:5: *unexpected: B*"],
    ["an unread end", "S: HELLO\nC: a", "t:2: *unexpected: A*"],
    ["an open end", "S: HELLO\nE: close", "t:2: *still open"],
    ["a closed end", "S: HELLO\nC: quit\nS: QUIT\nE: open", "t:4: *hung up"],
    ["wrong bytes", "S| HALLO", "t:1: *HELLO*HALLO*"],
  ];
  test.each(rows)("%s", async (_, text, want) => {
    const play = playTalk(parseTalk("t", text), new EchoTarget(), { cut: "never" });
    const message = await play.then(
      () => "passed",
      (error: unknown) => String(error).replace(/^Error: /, ""),
    );
    expect(message).toSatisfy((text: string) => matchesPattern(want, text));
  });
});

test.each(["X: y", "E: maybe", "T: 31s", "hello"])("%p is no line of a talk", (line) => {
  expect(() => parseTalk("t", `C: a\n${line}`)).toThrow("t:2: ");
});

test("a talk plays over a socket, where answers take their time", async () => {
  const server = net.createServer((socket) => {
    const echo = new EchoTarget();
    socket.write(echo.output());
    let sentBytes = echo.output().length;
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      echo.send(bytes);
      const answer = echo.output().subarray(sentBytes);
      sentBytes += answer.length;
      setImmediate(() => {
        socket.write(answer);
        if (echo.closed) socket.end();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as net.AddressInfo;
    const talk = parseTalk(
      "t",
      "S: HELLO\nC: one\nC: two\nS: ONE\nS: TWO\nE: open\nC: quit\nS: QUIT\nE: close",
    );
    await playEveryWay(talk, () => openSocketTarget({ host: "127.0.0.1", port, secure: false }));
  } finally {
    server.close();
  }
});

test.each([
  ["C: a\nS: A", true],
  ["@ mode x\nC: a", true],
  ["C: a\n@ event", false],
  ["C: a\nT: +1s", false],
  ["C: a\nT: tls", true],
])("%p can play over a socket: %p", (text, want) => {
  expect(canPlayOverSocket(parseTalk("t", text))).toBe(want);
});
