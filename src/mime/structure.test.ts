import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { fromLatin1, toLatin1 } from "../core/bytes.ts";
import { parseEnvelope } from "./envelope.ts";
import { MIME_DEPTH_MAX, MIME_PARTS_MAX } from "./limits.ts";
import {
  type ByteRange,
  findPart,
  type MimeMessage,
  type MimePart,
  parseStructure,
  readStructure,
} from "./structure.ts";
import { StructureReader } from "./structure-reader.ts";

function readIn(chunks: readonly Uint8Array[]): MimeMessage {
  const reader = new StructureReader();
  for (const chunk of chunks) {
    const lent = Buffer.from(chunk);
    reader.write(lent);
    lent.fill(0xaa);
  }
  return reader.end();
}

/** Whole, byte by byte, and cut in two at each point: always the same tree. */
function readEveryWay(text: string): MimeMessage {
  const bytes = fromLatin1(text);
  const tree = parseStructure(bytes);
  expect(readIn(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(tree);
  for (let at = 0; at <= bytes.length; at++) {
    const cut = readIn([bytes.subarray(0, at), bytes.subarray(at)]);
    if (!Bun.deepEquals(cut, tree)) expect({ at, tree: cut }).toEqual({ at, tree });
  }
  return tree;
}

const slice = (text: string, range: ByteRange) => text.slice(range.start, range.end);

/** `type/subtype "body" lines [parts]`, one part a line. */
function outline(text: string, part: MimePart, indent = ""): string[] {
  const own = `${indent}${part.type}/${part.subtype} ${JSON.stringify(slice(text, part.body))} ${part.lines}`;
  const inner = part.message === undefined ? [] : outline(text, part.message.root, `${indent}= `);
  return [own, ...inner, ...part.parts.flatMap((child) => outline(text, child, `${indent}- `))];
}

const mixed = (boundary: string) => `Content-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n`;

describe("parseStructure()", () => {
  type Row = [name: string, text: string, want: string[]];
  const rows: Row[] = [
    [
      "a message without MIME fields is text",
      "From: a\r\n\r\nhi\r\nyou\r\n",
      ['text/plain "hi\\r\\nyou\\r\\n" 2'],
    ],
    ["an empty message", "", ['text/plain "" 0']],
    ["a header without its end", "From: a\r\nTo: b", ['text/plain "" 0']],
    ["a message with LF line ends", "A: b\n\nhi\n", ['text/plain "hi\\n" 1']],
    [
      "the parts of a multipart, without the line ends before delimiters",
      `${mixed("b")}pre\r\n--b\r\n\r\none\r\n\r\n--b \t\r\nContent-Type: text/html\r\n\r\ntwo\r\nlines\r\n--b--\r\nafter\r\n`,
      [
        `multipart/mixed ${JSON.stringify("pre\r\n--b\r\n\r\none\r\n\r\n--b \t\r\nContent-Type: text/html\r\n\r\ntwo\r\nlines\r\n--b--\r\nafter\r\n")} 12`,
        '- text/plain "one\\r\\n" 1',
        '- text/html "two\\r\\nlines" 1',
      ],
    ],
    [
      "a multipart in a multipart, whose end ends both",
      `${mixed("o")}--o\r\n${mixed("i")}--i\r\n\r\nx\r\n--o\r\n\r\ny\r\n--o--`,
      [
        `multipart/mixed ${JSON.stringify(`--o\r\n${mixed("i")}--i\r\n\r\nx\r\n--o\r\n\r\ny\r\n--o--`)} 9`,
        '- multipart/mixed "--i\\r\\n\\r\\nx" 2',
        '- - text/plain "x" 0',
        '- text/plain "y" 0',
      ],
    ],
    [
      "a message in a message",
      `${mixed("o")}--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nhi\r\n--o--\r\n`,
      [
        `multipart/mixed ${JSON.stringify("--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nhi\r\n--o--\r\n")} 7`,
        '- message/rfc822 "Subject: in\\r\\n\\r\\nhi" 2',
        '- = text/plain "hi" 0',
      ],
    ],
    [
      "a digest, whose parts are messages by default",
      "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: s\r\n\r\nhi\r\n--d--\r\n",
      [
        'multipart/digest "--d\\r\\n\\r\\nSubject: s\\r\\n\\r\\nhi\\r\\n--d--\\r\\n" 6',
        '- message/rfc822 "Subject: s\\r\\n\\r\\nhi" 2',
        '- = text/plain "hi" 0',
      ],
    ],
    [
      "a multipart without parts is given an empty one",
      `${mixed("b")}nothing here\r\n`,
      ['multipart/mixed "nothing here\\r\\n" 1', '- text/plain "" 0'],
    ],
    [
      "a part that ends within its header",
      `${mixed("b")}--b\r\nContent-Type: text/html\r\n--b--\r\n`,
      ['multipart/mixed "--b\\r\\nContent-Type: text/html\\r\\n--b--\\r\\n" 3', '- text/html "" 0'],
    ],
    [
      "an encoded message stays closed, and is no message to those who expect an envelope (RFC 9051 §9 body-type-msg)",
      "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==\r\n",
      ['application/octet-stream "QQ==\\r\\n" 1'],
    ],
    [
      "a multipart without a boundary is opaque",
      "Content-Type: multipart/mixed\r\n\r\n--b\r\n",
      ['application/octet-stream "--b\\r\\n" 1'],
    ],
    [
      "lines that only look like a delimiter",
      `${mixed("b")}--b\r\n\r\n--bb\r\n --b\r\n--b x\r\n--b--x\r\n--\r\n--b--\r\n`,
      [
        `multipart/mixed ${JSON.stringify("--b\r\n\r\n--bb\r\n --b\r\n--b x\r\n--b--x\r\n--\r\n--b--\r\n")} 8`,
        '- text/plain "--bb\\r\\n --b\\r\\n--b x\\r\\n--b--x\\r\\n--" 4',
      ],
    ],
    [
      "delimiters after the end are epilogue",
      `${mixed("b")}--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n`,
      ['multipart/mixed "--b\\r\\n\\r\\nx\\r\\n--b--\\r\\n--b\\r\\n\\r\\ny\\r\\n" 7', '- text/plain "x" 0'],
    ],
  ];
  for (const [name, text, want] of rows) {
    test(name, () => expect(outline(text, readEveryWay(text).root)).toEqual(want));
  }

  test("reads all fields of a part", () => {
    const head =
      "Content-Type: Image/PNG; Name=a.png\r\nContent-Transfer-Encoding: BASE64\r\nContent-ID: <i@x>\r\n" +
      'Content-Description: a\r\n picture\r\nContent-Disposition: Attachment; FileName="a.png"\r\n' +
      "Content-Language: de, en\r\nContent-MD5: xyz\r\nContent-Location: http://x/\r\n\r\n";
    const text = `${mixed("b")}--b\r\n${head}QUJD\r\n--b--\r\n`;
    const part = readEveryWay(text).root.parts[0];
    expect(part).toEqual({
      header: { start: text.indexOf(head), end: text.indexOf(head) + head.length },
      body: { start: text.indexOf("QUJD"), end: text.indexOf("QUJD") + 4 },
      type: "image",
      subtype: "png",
      params: new Map([["name", "a.png"]]),
      id: "<i@x>",
      description: "a picture",
      encoding: "base64",
      md5: "xyz",
      disposition: {
        value: "attachment",
        params: new Map([["filename", "a.png"]]),
        wellFormed: true,
      } as never,
      language: ["de", "en"],
      location: "http://x/",
      lines: 0,
      parts: [],
      message: undefined,
    });
  });

  test("readStructure() reads in slices and gives the same tree", async () => {
    const text = `From: a\r\n${mixed("b")}--b\r\n\r\n${"line of text\r\n".repeat(60_000)}--b\r\n\r\nend\r\n--b--\r\n`;
    const bytes = fromLatin1(text);
    let largest = 0;
    const tree = await readStructure(bytes.length, async (offset, length) => {
      largest = Math.max(largest, length);
      return bytes.subarray(offset, offset + length);
    });
    expect(tree).toEqual(parseStructure(bytes));
    expect(tree.root.parts.map((part) => part.lines)).toEqual([59_999, 0]);
    expect(largest).toBeLessThanOrEqual(256 * 1024);
    const short = await readStructure(bytes.length, async (offset) => bytes.subarray(offset, 100));
    expect(short.body.end).toBe(100);
  });
});

describe("findPart()", () => {
  const inner = `Subject: in\r\n${mixed("i")}--i\r\n\r\none\r\n--i\r\n\r\ntwo\r\n--i--\r\n`;
  const text =
    `${mixed("o")}--o\r\n\r\nfirst\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n${inner}\r\n` +
    "--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: flat\r\n\r\nflat\r\n--o--\r\n";
  const tree = parseStructure(fromLatin1(text));
  const rows: [path: number[], body: string | undefined][] = [
    [[1], "first"],
    [[2], inner],
    [[2, 1], "one"],
    [[2, 2], "two"],
    [[2, 3], undefined],
    [[3, 1], "flat"],
    [[3, 2], undefined],
    [[3, 1, 1], undefined],
    [[1, 1], undefined],
    [[4], undefined],
    [[0], undefined],
  ];
  for (const [path, body] of rows) {
    test(path.join("."), () => {
      const part = findPart(tree, path);
      expect(part && slice(text, part.body)).toBe(body as string);
    });
  }
  test("part 1 of a message that is no multipart is its body", () => {
    const plain = parseStructure(fromLatin1("A: b\r\n\r\nhi"));
    expect(findPart(plain, [1])).toBe(plain.root);
    expect(findPart(plain, [2])).toBeUndefined();
    expect(findPart(plain, [1, 1])).toBeUndefined();
    expect(findPart(plain, [])).toBe(plain.root);
  });
});

describe("parseEnvelope()", () => {
  test("reads all fields, and sender and reply-to default to from", () => {
    const envelope = parseEnvelope(
      fromLatin1(
        "Date: Fri, 21 Aug 2026 10:00:00 +0000\r\nSubject: a\r\n b\r\nFrom: A <a@x.test>\r\nTo: b@x.test,\r\n c@x.test\r\n" +
          "Cc: d@x.test\r\nBcc: e@x.test\r\nIn-Reply-To: <1@x>\r\nMessage-ID: <2@x>\r\n\r\n",
      ),
    );
    const who = (mailbox: string, name?: string) => ({ name, adl: undefined, mailbox, host: "x.test" });
    const from = [who("a", "A")];
    expect(envelope).toEqual({
      date: "Fri, 21 Aug 2026 10:00:00 +0000",
      subject: "a b",
      from,
      sender: from,
      replyTo: from,
      to: [who("b"), who("c")],
      cc: [who("d")],
      bcc: [who("e")],
      inReplyTo: "<1@x>",
      messageId: "<2@x>",
    });
    const other = parseEnvelope(
      fromLatin1("From: a@x.test\r\nSender: s@x.test\r\nReply-To: r@x.test\r\n\r\n"),
    );
    expect([other.sender, other.replyTo]).toEqual([[who("s")], [who("r")]]);
    expect(other.subject).toBeUndefined();
  });
});

describe("hostile messages", () => {
  /** All ranges lie in the message, children lie in their parents. */
  function check(part: MimePart, within: ByteRange, depth = 0): number {
    expect(part.header.start).toBeGreaterThanOrEqual(within.start);
    expect(part.header.end).toBeGreaterThanOrEqual(part.header.start);
    expect(part.body.start).toBeGreaterThanOrEqual(part.header.end);
    expect(part.body.end).toBeGreaterThanOrEqual(part.body.start);
    expect(part.body.end).toBeLessThanOrEqual(within.end);
    expect(part.type === "multipart").toBe(part.parts.length > 0);
    expect(depth).toBeLessThanOrEqual(MIME_DEPTH_MAX + 1);
    const inner = part.message === undefined ? 0 : check(part.message.root, part.body, depth + 1);
    return 1 + inner + part.parts.reduce((sum, child) => sum + check(child, part.body, depth + 1), 0);
  }

  test("any pieces give a sound tree that does not depend on the cuts", () => {
    const piece = fc.constantFrom(
      "\r\n",
      "\n",
      "--a",
      "--b",
      "--a--",
      "--b--",
      "x",
      "Content-Type: multipart/mixed; boundary=a\r\n",
      "Content-Type: multipart/digest; boundary=b\r\n",
      "Content-Type: message/rfc822\r\n",
      "\r",
      " ",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 25 }), fc.nat(200), (pieces, at) => {
        const bytes = fromLatin1(pieces.join(""));
        const tree = parseStructure(bytes);
        check(tree.root, { start: 0, end: bytes.length });
        expect(readIn([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(tree);
      }),
      { seed: 1, numRuns: 1500 },
    );
  });

  const nested = (count: number, open: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => open(i)).join("");
  const rows: [name: string, text: string][] = [
    ["nested multiparts", nested(5000, (i) => `${mixed(`b${i}`)}--b${i}\r\n`)],
    ["nested messages", "Content-Type: message/rfc822\r\n\r\n".repeat(20_000)],
    ["many parts", `${mixed("b")}${"--b\r\n\r\nx\r\n".repeat(50_000)}`],
    ["many empty parts", `${mixed("b")}${"--b\r\n".repeat(100_000)}`],
    ["many lines of dashes", `${mixed("b")}--b\r\n\r\n${"--\r\n".repeat(150_000)}`],
    ["one line without end", `${mixed("b")}--b\r\n\r\n${"-".repeat(1_000_000)}`],
    ["a header without end", "X: y\r\n".repeat(150_000)],
    ["a header of one line", `X: ${"y".repeat(2_000_000)}`],
    [
      "many delimiters of the outermost of deep multiparts",
      `${nested(30, (i) => `${mixed(`b${i}`)}--b${i}\r\n`)}${"--c\r\n".repeat(100_000)}`,
    ],
  ];
  for (const [name, text] of rows) {
    test(`${name} take linear time and stay within the limits`, () => {
      const bytes = fromLatin1(text);
      const start = performance.now();
      const tree = readIn([bytes.subarray(0, 1000), bytes.subarray(1000)]);
      expect(performance.now() - start).toBeLessThan(2000);
      expect(check(tree.root, { start: 0, end: bytes.length })).toBeLessThanOrEqual(
        MIME_PARTS_MAX + 2 * MIME_DEPTH_MAX,
      );
      expect(toLatin1(bytes.subarray(tree.body.start, tree.body.end)).length).toBe(
        tree.body.end - tree.body.start,
      );
    });
  }
});
