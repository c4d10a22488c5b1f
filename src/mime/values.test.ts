/** Address lists and structured values. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type MailAddress, parseAddressList } from "./addresses.ts";
import { boundaryOf, parseContentType, parseStructured } from "./structured.ts";

const address = (
  mailbox: string | undefined,
  host: string | undefined,
  name?: string,
  adl?: string,
): MailAddress => ({
  name,
  adl,
  mailbox,
  host,
});

describe("parseAddressList()", () => {
  const rows: [text: string, addresses: MailAddress[], texts?: string[]][] = [
    ["a@b.test", [address("a", "b.test")]],
    ["<a@b.test>", [address("a", "b.test")]],
    ["SRS1=HHH=x.test==TT=y.test=a@z.test", [address("SRS1=HHH=x.test==TT=y.test=a", "z.test")]],
    ["Foo Bar <a+b@x.test>", [address("a+b", "x.test", "Foo Bar")]],
    ['"A, B; <x@y>" <a@b.test>, c@d.test', [address("a", "b.test", "A, B; <x@y>"), address("c", "d.test")]],
    ['"Q \\"q\\" \\\\" <a@b.test>', [address("a", "b.test", 'Q "q" \\')]],
    ["a@b.test (A (nested) comment)", [address("a", "b.test", "A (nested) comment")]],
    ["J.  Doe(x) <a@b.test> (y)", [address("a", "b.test", "J. Doe")]],
    ['"quoted local"@b.test', [address("quoted local", "b.test")]],
    ["a@[1.2.3.4]", [address("a", "[1.2.3.4]")]],
    ["a . b @ c . test", [address("a.b", "c.test")]],
    ["<@x.test,@y.test:a@b.test>", [address("a", "b.test", undefined, "@x.test,@y.test")]],
    ['"hidden-recipients": ;', [address("hidden-recipients", undefined), address(undefined, undefined)]],
    [
      "Team: a@b.test, C <c@d.test>; e@f.test",
      [
        address("Team", undefined),
        address("a", "b.test"),
        address("c", "d.test", "C"),
        address(undefined, undefined),
        address("e", "f.test"),
      ],
      ["a@b.test", "c@d.test", "e@f.test"],
    ],
    ["=?utf-8?q?=C3=BC?= <a@b.test>", [address("a", "b.test", "=?utf-8?q?=C3=BC?=")]],
    ["a@b.test,, c@d.test,", [address("a", "b.test"), address("c", "d.test")]],
    ["", []],
    ["(only a comment)", []],
    ["<>", [], ["<>"]],
    ["no address", [], ["no address"]],
    ["a@b@c", [], ["a@b@c"]],
    ["a b@c.test", [], ["a b@c.test"]],
    ["@b.test", [], ["@b.test"]],
    ["a@", [], ["a@"]],
    ["x <a@b.test> y", [], ["x <a@b.test> y"]],
    ["x <a@b.test> <c@d.test>", [], ["x <a@b.test> <c@d.test>"]],
    ["x, a@b.test", [address("a", "b.test")], ["x", "a@b.test"]],
    ['"unclosed <a@b.test>', [], ['"unclosed <a@b.test>']],
    ["x@y.test <a@b.test>", [], ["x@y.test <a@b.test>"]],
  ];
  for (const [text, addresses, texts] of rows) {
    test(JSON.stringify(text), () => {
      const read = parseAddressList(text);
      expect(read.addresses).toEqual(addresses);
      const plain = addresses.filter((a) => a.host !== undefined).map((a) => `${a.mailbox}@${a.host}`);
      expect(read.texts).toEqual(texts ?? plain);
    });
  }

  test("takes any text, however nested, in linear time", () => {
    const unit = fc.constantFrom("a", "@", ",", ";", ":", "<", ">", "(", ")", '"', "\\", "[", "]", " ", ".");
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), (text) => {
        const { addresses, texts } = parseAddressList(text);
        expect(addresses.filter((a) => a.host !== undefined).length).toBeLessThanOrEqual(texts.length);
      }),
      { seed: 1, numRuns: 1000 },
    );
    for (const hostile of ["(", "<", '"', "\\", "[", ",", ":", "a@", '"a"', "<a@b.test>,"]) {
      const start = performance.now();
      parseAddressList(hostile.repeat(250_000 / hostile.length));
      expect(performance.now() - start).toBeLessThan(2000);
    }
  });
});

describe("parseContentType()", () => {
  const rows: [
    text: string,
    type: string | undefined,
    params?: Record<string, string>,
    wellFormed?: boolean,
  ][] = [
    ["text/plain", "text/plain"],
    ["TEXT/Plain; CharSet=UTF-8", "text/plain", { charset: "UTF-8" }],
    [
      'multipart/encrypted; protocol="application/pgp-encrypted"; boundary="a b"',
      "multipart/encrypted",
      { protocol: "application/pgp-encrypted", boundary: "a b" },
    ],
    ['text/plain; name="a\\"b;c"', "text/plain", { name: 'a"b;c' }],
    ["text/plain (a comment); (another) charset = us-ascii (x)", "text/plain", { charset: "us-ascii" }],
    ["text/plain;", "text/plain"],
    ["text/plain; ; a=b;;", "text/plain", { a: "b" }],
    [
      "text/plain; filename*0*=utf-8''a; filename*1=b",
      "text/plain",
      { "filename*0*": "utf-8''a", "filename*1": "b" },
    ],
    ["text/plain; a=b; a=c", "text/plain", { a: "b" }, false],
    ["text/plain; a=b junk; c=d", "text/plain", { a: "b", c: "d" }, false],
    ["text/plain junk", "text/plain", {}, false],
    ["text/plain; a", "text/plain", {}, false],
    ["text/plain; a=", "text/plain", { a: "" }, false],
    ['text/plain; a="b', "text/plain", { a: "b" }, false],
    ["text/plain; a=b (unclosed", "text/plain", { a: "b" }, false],
    ["text/plain/x", "text/plain", {}, false],
    ["text", undefined],
    ["text/", undefined],
    ["/plain", undefined],
    ["", undefined],
    ["; a=b", undefined],
  ];
  for (const [text, type, params, wellFormed] of rows) {
    test(JSON.stringify(text), () => {
      const read = parseContentType(text);
      expect(read && `${read.type}/${read.subtype}`).toBe(type as string);
      if (read === undefined) return;
      expect(Object.fromEntries(read.params)).toEqual(params ?? {});
      expect(read.wellFormed).toBe(wellFormed ?? true);
    });
  }

  test("hostile texts take linear time", () => {
    for (const hostile of ["(", ";", "a=b;", '"', "\\", "x;y=(", 'a="\\']) {
      const start = performance.now();
      parseContentType(`text/plain; ${hostile.repeat(250_000 / hostile.length)}`);
      expect(performance.now() - start).toBeLessThan(2000);
    }
  });
});

test("parseStructured() takes bytes beyond ASCII in a bare value, as many programs write file names", () => {
  const read = parseStructured("attachment; filename=\xe4.txt; size=3");
  expect(read?.params).toEqual(
    new Map([
      ["filename", "\xe4.txt"],
      ["size", "3"],
    ]),
  );
  expect(read?.wellFormed).toBe(false);
});

test("parseStructured() reads a disposition", () => {
  const read = parseStructured('Inline; filename="encrypted.asc";');
  expect(read).toEqual({
    value: "inline",
    params: new Map([["filename", "encrypted.asc"]]),
    wellFormed: true,
  });
});

describe("boundaryOf()", () => {
  const rows: [text: string, boundary: string | undefined][] = [
    ["multipart/mixed; boundary=abc", "abc"],
    ['multipart/mixed; boundary="a b\'()+_,-./:=?"', "a b'()+_,-./:=?"],
    ['multipart/mixed; boundary=""', undefined],
    ['multipart/mixed; boundary="a "', undefined],
    ["multipart/mixed", undefined],
    [`multipart/mixed; boundary=${"x".repeat(70)}`, "x".repeat(70)],
    [`multipart/mixed; boundary=${"x".repeat(71)}`, undefined],
    ['multipart/mixed; boundary="a\tb"', undefined],
  ];
  for (const [text, boundary] of rows) {
    test(text, () => {
      const type = parseContentType(text);
      expect(type && boundaryOf(type)).toBe(boundary as string);
    });
  }
});
