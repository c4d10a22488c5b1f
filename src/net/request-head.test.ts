import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { fieldOf, headEnd, parseHead } from "./request-head.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");

describe("headEnd()", () => {
  test("finds the empty line, wherever the search starts before it", () => {
    const head = "GET / HTTP/1.1\r\nA: b\r\n\r\n";
    const all = bytes(`${head}rest\r\n\r\n`);
    for (let from = 0; from <= head.length - 4; from++) expect(headEnd(all, from)).toBe(head.length);
    for (let cut = 0; cut < head.length; cut++) expect(headEnd(all.subarray(0, cut))).toBe(-1);
  });
});

describe("parseHead()", () => {
  for (const [target, want] of [
    ["/new", "/new"],
    ["https://d.test/new?x=1", "/new?x=1"],
    ["HTTP://d.test:8080", "/"],
    ["http://d.test?x", "/?x"],
    ["*", "*"],
    ["/a?u=http://x/", "/a?u=http://x/"],
  ] as const) {
    test(`${target} goes on as ${want}`, () => {
      const parsed = parseHead(bytes(`POST ${target} HTTP/1.1\r\nHost: d.test\r\nX: 1\r\n\r\n`));
      expect(parsed?.head).toMatchObject({
        method: "POST",
        target: want,
        path: want.split("?")[0],
        minorVersion: 1,
      });
      expect(Buffer.from(parsed?.bytes ?? []).toString()).toBe(
        `POST ${want} HTTP/1.1\r\nHost: d.test\r\nX: 1\r\n\r\n`,
      );
    });
  }

  test("keeps the fields in order, names in lower case", () => {
    const parsed = parseHead(
      bytes("GET /relay HTTP/1.0\r\nHOST: a\r\nUpgrade: iroh derp http\r\nB:\r\n\r\n"),
    );
    expect(parsed?.head.fields).toEqual([
      ["host", "a"],
      ["upgrade", "iroh derp http"],
      ["b", ""],
    ]);
    expect(parsed && fieldOf(parsed.head, "upgrade")).toBe("iroh derp http");
    expect(parsed?.head.minorVersion).toBe(0);
  });

  for (const bad of [
    "EHLO x\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\n",
    "GET / HTTP/1.1 \r\n\r\n",
    "GET  / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    "GET / HTTP/1.1\r\n: empty\r\n\r\n",
    "\r\n\r\n",
  ]) {
    test(`${JSON.stringify(bad)} is no request`, () => expect(parseHead(bytes(bad))).toBeUndefined());
  }

  test("never throws", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => void parseHead(noise)));
  });
});
