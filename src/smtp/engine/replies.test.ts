import { expect, test } from "bun:test";
import { type Refusal, refusals } from "../../core/verdict.ts";
import { multiline, refusalReply, replies } from "./replies.ts";

const ENHANCED = /^([2345]\d\d) ([245])\.\d{1,3}\.\d{1,3} [\x20-\x7e]+$/;
/** RFC 2034 §4: these have no enhanced code. */
const WITHOUT = new Set(["goAhead", "saslGoOn", "saslUsername", "saslPassword"]);

test.each(Object.entries(replies))("%s is a reply as RFC 2034 wants it", (name, text) => {
  if (WITHOUT.has(name)) return expect(text).toStartWith("3");
  const match = ENHANCED.exec(text);
  expect(match?.[2]).toBe(text[0] as string);
  expect(text.length).toBeLessThanOrEqual(510);
});

test.each(Object.keys(refusals) as Refusal[])("%s is told with code, enhanced code and text", (why) => {
  const [code, enhanced, , text] = refusals[why];
  expect(refusalReply(why)).toBe(`${code} ${enhanced} ${text}`);
  expect(refusalReply(why)).toMatch(ENHANCED);
});

test("texts that clients look for are kept to the letter", () => {
  expect(refusalReply("encryptionNeeded")).toContain("Invalid Unencrypted Mail");
  expect(refusalReply("tooMuchMail")).toContain("4.7.1: Too much mail from");
  expect(replies.loginUnavailable.toLowerCase()).not.toContain("authentication");
});

test("only the last line of a reply has a blank after its code", () => {
  expect(multiline(250, ["a", "b", "c"])).toBe("250-a\r\n250-b\r\n250 c");
  expect(multiline(250, ["a"])).toBe("250 a");
});
