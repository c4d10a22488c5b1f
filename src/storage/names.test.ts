import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { Address } from "../core/address.ts";
import {
  accountDirectoryName,
  flagsOfLetters,
  flagSuffix,
  folderDirectoryName,
  folderNameOf,
  MessageNames,
  normalMailboxName,
  parseMessageName,
} from "./names.ts";
import { Flag } from "./store.ts";

describe("folderDirectoryName()", () => {
  const rows: readonly (readonly [string, string])[] = [
    ["DeltaChat", ".DeltaChat"],
    ["A/B/C", ".A.B.C"],
    ["a.b", ".a\\2eb"],
    ["a\\b", ".a\\5cb"],
    ["R&D", ".R&-D"],
    ["Entwürfe", ".Entw&APw-rfe"],
    // RFC 3501 §5.1.3 gives these.
    ["~peter/mail/台北/日本語", ".~peter.mail.&U,BTFw-.&ZeVnLIqe-"],
    ["☺!", ".&Jjo-!"],
    ["😀", ".&2D3eAA-"],
  ];
  test.each(rows)("writes %p as %p, and back", (name, directory) => {
    expect(folderDirectoryName(name)).toBe(directory);
    expect(folderNameOf(directory)).toBe(name);
  });

  test("any good name comes back from its directory", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }), (name) => {
        let directory: string;
        try {
          directory = folderDirectoryName(name);
        } catch {
          return;
        }
        expect(directory).not.toContain("/");
        if (name.toUpperCase() !== "INBOX") expect(folderNameOf(directory)).toBe(name);
      }),
    );
  });

  test.each(["", "/", "a/", "/a", "a//b", "a\tb", "\ud800", "ü".repeat(100)])("refuses %p", (name) => {
    expect(() => folderDirectoryName(name)).toThrow();
  });

  test.each([".a&b", ".a..b", ".", "..", ".&AOQ", ".&AGE-", ".inbox", "a"])(
    "%p is no folder of ours",
    (directory) => {
      expect(folderNameOf(directory)).toBeUndefined();
    },
  );
});

test("normalMailboxName() knows INBOX in any case, and only as a whole", () => {
  expect(normalMailboxName("iNbOx")).toBe("INBOX");
  expect(normalMailboxName("inbox/a")).toBe("inbox/a");
});

test("accountDirectoryName() is the address, unless it would leave its place", () => {
  expect(accountDirectoryName("a+b@[1.2.3.4]" as Address)).toBe("a+b@[1.2.3.4]");
  for (const bad of ["", ".", "..", ".a@b", "a/b@c", "a\0@b", `${"ü".repeat(130)}@x`]) {
    expect(() => accountDirectoryName(bad as Address)).toThrow();
  }
});

describe("message names", () => {
  const names = new MessageNames("abc", "mx.relay.test");
  test("come back with all they say", () => {
    const base = names.base(77, 1_700_000_000_999, 1234, 9);
    expect(base).toBe("1700000000.V77RabcQ1.mx.relay.test,S=1234,U=9");
    const parsed = { base, internalDateMs: 1_700_000_000_000, size: 1234, uid: 9 };
    expect(parseMessageName(base, 77)).toEqual({ ...parsed, letters: "" });
    expect(parseMessageName(`${base}:2,FS`, 77)).toEqual({ ...parsed, letters: "FS" });
    expect(parseMessageName(base, 78)).toBeUndefined();
  });

  test.each([
    "1700000000.M1P2.host,S=5",
    "1700000000.V77RaQ1.h,S=5,U=0",
    "1700000000.V77RaQ1.h,S=5,U=4294967296",
    "1700000000.V77RaQ1.h,U=5,S=5",
    "x.V77RaQ1.h,S=5,U=5",
  ])("%s is not ours", (name) => {
    expect(parseMessageName(name, 77)).toBeUndefined();
  });

  test("flags are letters in ASCII order, and back", () => {
    const all = Flag.seen | Flag.answered | Flag.flagged | Flag.deleted | Flag.draft | (1 << 5) | (1 << 30);
    expect(flagSuffix(all)).toBe(":2,DFRSTaz");
    expect(flagsOfLetters("DFRSTaz", 26)).toBe(all);
    expect(flagsOfLetters("PSab", 1)).toBe(Flag.seen | (1 << 5));
  });
});
