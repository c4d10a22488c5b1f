import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { Address } from "../../core/address.ts";
import { parseMail, parseRecipient } from "./envelope-command.ts";

describe("parseMail()", () => {
  const good: [input: string, sender: string | null, declaredBytes: number, utf8: boolean][] = [
    ["FROM:<a@b.test>", "a@b.test", 0, false],
    ["from:<A@B.Test>", "a@b.test", 0, false],
    ["FROM: <a@b.test>  SIZE=12  body=8bitmime smtputf8", "a@b.test", 12, true],
    ["FROM:<>", null, 0, false],
    ["FROM:<> RET=FULL ENVID=x AUTH=<>", null, 0, false],
    ["FROM:a@b.test SIZE=1", "a@b.test", 1, false],
    ["FROM:<u@1.2.3.4>", "u@[1.2.3.4]", 0, false],
    ["FROM:<u@[1.2.3.4]>", "u@[1.2.3.4]", 0, false],
    ["FROM:<SRS1=HHH=x.test==YYY=TT=y.test=u@z.test>", "srs1=hhh=x.test==yyy=tt=y.test=u@z.test", 0, false],
    ["FROM:<@r.test,@s.test:a+b@c.test>", "a+b@c.test", 0, false],
    ["FROM:<é@b.test> SMTPUTF8", "é@b.test", 0, true],
  ];
  test.each(good)("%s", (input, sender, declaredBytes, utf8) => {
    expect(parseMail(input)).toEqual({ ok: true, value: { sender: sender as Address, declaredBytes, utf8 } });
  });

  const bad: [input: string, reply: string][] = [
    ["", "badArguments"],
    ["TO:<a@b.test>", "badArguments"],
    ["FROM:", "badArguments"],
    ["FROM:<a@b.test", "badArguments"],
    ["FROM:<a@b.test>x", "badArguments"],
    ["FROM:<a@b.test> =x", "badArguments"],
    ["FROM:<a@b.test> SIZE", "badArguments"],
    ["FROM:<a@b.test> SIZE=-1", "badArguments"],
    ["FROM:<a@b.test> SIZE=111111111111111111111", "badArguments"],
    ["FROM:<a@b.test> body=7bit BODY=7bit", "badArguments"],
    ["FROM:<a@b.test> BODY", "unknownParameter"],
    ["FROM:<a@b.test> X=1", "unknownParameter"],
    ['FROM:<"a b>"@b.test>', "badSender"],
    ["FROM:<a b@b.test>", "badSender"],
    ["FROM:<@>", "badSender"],
    ["FROM:<@b.test>", "badSender"],
    ["FROM:<é@b.test>", "senderNeedsUtf8"],
    ["FROM:<\uFFFD@b.test> SMTPUTF8", "badSender"],
  ];
  test.each(bad)("refuses %s", (input, reply) => {
    expect(parseMail(input)).toEqual({ ok: false, reply: reply as never });
  });
});

describe("parseRecipient()", () => {
  const rows: [input: string, want: string | undefined][] = [
    ["TO:<a@b.test>", "a@b.test"],
    ["TO:<a@b.test> NOTIFY=NEVER ORCPT=rfc822;x@y", "a@b.test"],
    ["TO:<postMASTER>", "postmaster@[1.2.3.4]"],
    ["TO:<root>", undefined],
    ["TO:<>", undefined],
  ];
  test.each(rows)("%s", (input, want) => {
    expect(parseRecipient(input, false, "[1.2.3.4]")).toEqual({ ok: true, value: want as Address });
  });
});

test("no text makes the parsers throw", () => {
  const text = fc.array(
    fc.constantFrom("FROM:", "TO:", "<", ">", "@", '"', "\\", ":", " ", "=", "a", "é", "SIZE=1"),
  );
  fc.assert(
    fc.property(text, (parts) => {
      const input = parts.join("");
      expect(typeof parseMail(input).ok).toBe("boolean");
      expect(typeof parseRecipient(input, true, "x.test").ok).toBe("boolean");
    }),
  );
});
