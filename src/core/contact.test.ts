import { expect, test } from "bun:test";
import { isReservedSlug, parseInvite, parseSlug } from "./contact.ts";

const FP = "0123456789ABCDEF0123456789abcdef01234567";

const rows: readonly [text: string, want: string | undefined][] = [
  [
    `https://i.delta.chat/#${FP}&a=x%40y.test&n=Anna&i=1&s=2`,
    `openpgp4fpr:${FP}#a=x%40y.test&n=Anna&i=1&s=2`,
  ],
  [` https://i.delta.chat/#${FP} `, `openpgp4fpr:${FP}`],
  [`OPENPGP4FPR:${FP}#a=x%40y.test`, `openpgp4fpr:${FP}#a=x%40y.test`],
  [`https://i.delta.chat/#${FP.slice(1)}`, undefined],
  [`https://i.delta.chat/#${FP}&n=<b>`, undefined],
  [`https://i.delta.chat/#${FP}&n=a b`, undefined],
  [`https://evil.test/#${FP}`, undefined],
  [`javascript:alert(1)//${FP}`, undefined],
  [`https://i.delta.chat/#${FP}&n=${"a".repeat(1200)}`, undefined],
  ["", undefined],
];
for (const [text, want] of rows) {
  test(`an invitation from ${JSON.stringify(text.slice(0, 50))}`, () => {
    expect(parseInvite(text)).toBe(want);
  });
}

for (const [text, want] of [
  ["Anna2", "anna2"],
  [" abc ", "abc"],
  ["ab", undefined],
  ["a-b-c", undefined],
  ["анна", undefined],
  ["a".repeat(33), undefined],
] as const) {
  test(`a slug from ${JSON.stringify(text)}`, () => {
    expect(parseSlug(text)).toBe(want);
  });
}

test("paths with a meaning are no slugs", () => {
  expect(["share", "new", "mxdeliv", "madmail", "admin"].filter(isReservedSlug)).toHaveLength(5);
  expect(isReservedSlug("anna")).toBe(false);
});
