import { expect, test } from "bun:test";
import { bytesText, dayText, plural, quotaBytes, quotaText, secretOf } from "./shown.ts";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 kB"],
  [500 * 2 ** 20, "500.0 MB"],
  [2 ** 53, "8.0 PB"],
])("%d bytes are shown as %s", (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});

test.each([
  ["0", 0],
  ["unlimited", 0],
  ["1024", 1024],
  ["2G", 2 ** 31],
  [" 1.5M ", 1.5 * 2 ** 20],
])("the quota %p is %d bytes", (text, bytes) => {
  expect(quotaBytes(text)).toBe(bytes);
});

test.each(["", "-1", "much", "1X", "1G2"])("%p is no quota", (text) => {
  expect(() => quotaBytes(text)).toThrow("expected a size");
});

test("counts, days and limits read as people say them", () => {
  expect([plural(1, "message"), plural(0, "message"), plural(2, "mailbox")]).toEqual([
    "1 message",
    "0 messages",
    "2 mailboxes",
  ]);
  expect([dayText(0), dayText(1), dayText(86_400)]).toEqual(["never", "never", "1970-01-02"]);
  expect([quotaText(0), quotaText(1024)]).toEqual(["unlimited", "1.0 kB"]);
});

test("a secret that is given is taken, and none is asked for where none is needed", async () => {
  expect(await secretOf("given", true)).toBe("given");
  expect(await secretOf(undefined, false)).toBeUndefined();
});
