import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { fromLatin1, toLatin1 } from "../../core/bytes.ts";
import { LINE_BEFORE_LOGIN_MAX_BYTES, LINE_MAX_BYTES, LITERAL_MAX_BYTES } from "./limits.ts";
import { type Received, Receiver } from "./receiver.ts";

/** Feeds the pieces and shows what comes out, stream slices joined. */
function receive(
  pieces: readonly Uint8Array[],
  options: { trusted?: boolean; skip?: boolean } = {},
): string[] {
  const receiver = new Receiver();
  receiver.trusted = options.trusted ?? true;
  const shown: string[] = [];
  let streamed: string | undefined;
  for (const piece of pieces) {
    const lent = Buffer.from(piece);
    receiver.push(lent);
    for (let item = receiver.next(); item !== undefined; item = receiver.next()) {
      if (item.kind === "streamBegins") {
        shown.push(show(item));
        if (options.skip === true) receiver.skipStream(!item.sync);
        else receiver.acceptStream();
        streamed = "";
      } else if (item.kind === "streamBytes") streamed = `${streamed}${toLatin1(item.bytes)}`;
      else if (item.kind === "streamEnds") shown.push(`stream ${streamed}`);
      else shown.push(show(item));
    }
    receiver.keep();
    lent.fill(63);
  }
  return shown;
}

function show(item: Received): string {
  switch (item.kind) {
    case "command":
    case "literalRefused":
      return `${item.kind} ${item.parts.map((part) => (typeof part === "string" ? part : `<${toLatin1(part)}>`)).join("|")}`;
    case "line":
      return `line ${item.text}`;
    case "fatal":
      return `fatal ${item.text}`;
    case "streamBegins":
      return `begins ${item.size} ${item.sync}`;
    default:
      return item.kind;
  }
}

const rows: [name: string, input: string, want: string[]][] = [
  ["a line", "a NOOP\r\n", ["command a NOOP"]],
  ["a bare LF ends a line", "a NOOP\nb NOOP\r\n", ["command a NOOP", "command b NOOP"]],
  [
    "a synchronizing literal is asked for",
    "a LOGIN {1}\r\nx {1+}\r\ny\r\n",
    ["continue", "command a LOGIN {1}|<x>| {1+}|<y>|"],
  ],
  ["an empty literal", "a LOGIN {0+}\r\n x\r\n", ["command a LOGIN {0+}|<>| x"]],
  ["a literal with line ends in it", "a X {4+}\r\n\r\n\r\n\r\n", ["command a X {4+}|<\r\n\r\n>|"]],
  [
    "braces that announce nothing",
    "a X {}\r\na X {x}\r\na X {1+}y\r\n",
    ["command a X {}", "command a X {x}", "command a X {1+}y"],
  ],
  [
    "a message streams",
    "a APPEND x {3+}\r\nabc\r\n",
    ["begins 3 false", "stream abc", "command a APPEND x {3+}|"],
  ],
  [
    "a message behind a name that is a literal",
    "a append {1+}\r\nx (\\Seen) {3}\r\nabc\r\n",
    ["begins 3 true", "stream abc", "command a append {1+}|<x>| (\\Seen) {3}|"],
  ],
  ["NUL in a line", "a\0 NOOP\r\n", ["fatal NUL in a command line"]],
  ["NUL in a literal", "a X {1+}\r\n\0\r\n", ["fatal NUL in a literal"]],
  [
    "a literal that is too large and comes anyway is skipped with its line",
    `a X {${LITERAL_MAX_BYTES + 1}+}\r\n${"b NOOP\r\n".repeat(8192)}! {2+}\r\nxy tail\r\nc NOOP\r\n`,
    [`literalRefused a X {${LITERAL_MAX_BYTES + 1}+}`, "skipped", "command c NOOP"],
  ],
];

describe("Receiver", () => {
  for (const [name, input, want] of rows) {
    test(name, () => {
      const bytes = fromLatin1(input);
      expect(receive([bytes])).toEqual(want);
      expect(receive([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(want);
      if (bytes.length > 1000) return;
      for (let at = 1; at < bytes.length; at++) {
        expect(receive([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(want);
      }
    });
  }

  test("an unwanted message that comes anyway is skipped", () => {
    expect(receive([fromLatin1("a APPEND x {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n")], { skip: true })).toEqual([
      "begins 8 false",
      "skipped",
      "command c NOOP",
    ]);
  });

  test("an unwanted message that waits to be asked for never comes", () => {
    expect(receive([fromLatin1("a APPEND x {8}\r\nb NOOP\r\n")], { skip: true })).toEqual([
      "begins 8 true",
      "command b NOOP",
    ]);
  });

  test("a line over the limit ends the stream before it ends", () => {
    const long = fromLatin1("a".repeat(LINE_MAX_BYTES + 1));
    expect(receive([long])).toEqual(["fatal Command line too long"]);
    expect(receive([long.subarray(0, LINE_BEFORE_LOGIN_MAX_BYTES + 1)], { trusted: false })).toEqual([
      "fatal Command line too long",
    ]);
  });

  test("what it says does not depend on the cuts, and it holds no more than a line and a literal", () => {
    const piece = fc.constantFrom(
      "a NOOP\r\n",
      "b X {3+}\r\n",
      "abc",
      "\r\n",
      "\n",
      "{1}\r\n",
      "c APPEND x {5+}\r\n",
      "hello",
      "\0",
      "x",
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 20 }),
        fc.array(fc.nat(200), { maxLength: 8 }),
        (texts, cuts) => {
          const bytes = fromLatin1(texts.join(""));
          const at = [
            0,
            ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b),
            bytes.length,
          ];
          const pieces = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
          expect(receive(pieces)).toEqual(receive([bytes]));
        },
      ),
    );
  });
});
