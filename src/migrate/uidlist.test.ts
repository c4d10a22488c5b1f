import { expect, test } from "bun:test";
import { parseUidList } from "./uidlist.ts";

const rows: [string, string, [number, number, [string, number][]] | undefined][] = [
  [
    "Dovecot's version 3",
    "3 V1700000000 N7 Gabc\n3 W9 S8 :b\n5 :c,S=1,W=2\n",
    [
      1_700_000_000,
      7,
      [
        ["b", 3],
        ["c,S=1,W=2", 5],
      ],
    ],
  ],
  [
    "Dovecot's version 1",
    "1 17 4\n2 a\n3 b c\n",
    [
      17,
      4,
      [
        ["a", 2],
        ["b c", 3],
      ],
    ],
  ],
  ["madmail's", "1 V1 N9\n3 S10 T5 :x y\n", [1, 9, [["x y", 3]]]],
  ["a header behind its entries", "3 V5 N2\n9 :x\n", [5, 10, [["x", 9]]]],
  ["a later line beats an earlier one", "3 V5 N9\n2 :x\n3 :x\n", [5, 9, [["x", 3]]]],
  ["lines that are damage", "3 V5 N9\n2\nx :y\n0 :z\n99999999999 :w\n4 :\n", [5, 9, []]],
  ["no UID list", "V\t2\n\nINBOX\n", undefined],
  ["UIDVALIDITY 0", "3 V0 N2\n", undefined],
  ["nothing", "", undefined],
];

for (const [name, text, want] of rows) {
  test(`parseUidList() reads ${name}`, () => {
    const list = parseUidList(text);
    const found = list && [
      list.uidValidity,
      list.uidNext,
      [...list.entries].map(([base, { uid }]) => [base, uid]),
    ];
    expect(found as unknown).toEqual(want);
  });
}
