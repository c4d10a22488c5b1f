import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type Domain, parseAddress } from "../core/address.ts";
import {
  generateName,
  generatePassword,
  loginAddress,
  nameFault,
  passwordFault,
  systemRandom,
} from "./names.ts";

const rules = { username_min_length: 6, username_max_length: 10, password_min_length: 9 };

describe("nameFault()", () => {
  const rows: [string, ReturnType<typeof nameFault>][] = [
    ["abcde", "tooShort"],
    ["abcdef", undefined],
    ["abcdefg", undefined],
    ["abcdefghij", undefined],
    ["abcdefghijk", "tooLong"],
    ["abc123", undefined],
    ["a.b-c_d", undefined],
    ["Abc123", "badCharacter"],
    ["a b cde", "badCharacter"],
    ["abc+def", "badCharacter"],
    ["abc!def", "badCharacter"],
    ["ab@cdef", "badCharacter"],
    ["abc/def", "badCharacter"],
    ["abc\\def", "badCharacter"],
    ["abc\0def", "badCharacter"],
    ["abcdef\n", "badCharacter"],
    ["abcdéf", "badCharacter"],
    [".abcdef", "badDots"],
    ["abcdef.", "badDots"],
    ["......", "badDots"],
    ["postmaster", "reserved"],
    ["webmaster", "reserved"],
    ["hostmaster", "reserved"],
  ];
  test.each(rows)("of %j", (localpart, want) => {
    expect(nameFault(localpart, rules)).toBe(want);
  });

  test.each(["admin", "root", "postmaster", "mailer-daemon", "abuse", "hostmaster", "webmaster"])(
    "keeps %s for the operator",
    (localpart) => {
      const any = { ...rules, username_min_length: 1, username_max_length: 64 };
      expect(nameFault(localpart, any)).toBe("reserved");
    },
  );

  test.each(["", ".", ".."])("takes %j however short names may be", (localpart) => {
    expect(nameFault(localpart, { ...rules, username_min_length: 1 })).toBeDefined();
  });
});

describe("loginAddress()", () => {
  const domains = ["example.org", "[192.0.2.1]"] as Domain[];
  const rows: [string, string | undefined][] = [
    ["ada@example.org", "ada@example.org"],
    [" ADA@Example.ORG\t", "ada@example.org"],
    ["ada@[192.0.2.1]", "ada@[192.0.2.1]"],
    ["ada@192.0.2.1", "ada@[192.0.2.1]"],
    ["ada@192.0.2.2", undefined],
    ["ada@%5b192.0.2.1%5d", undefined],
    ["ada%40x@example.org", undefined],
    ["ada@sub.example.org", undefined],
    ["ada@example.com", undefined],
    ["ada@evil@example.org", undefined],
    ["@example.org", undefined],
    ["ada", undefined],
    ["ada@", undefined],
    ["", undefined],
    ["..", undefined],
    [".", undefined],
    ["../x@example.org", undefined],
    ["../../x@example.org", undefined],
    ["a b@example.org", undefined],
    ["$user@example.org$", undefined],
  ];
  test.each(rows)("reads %j", (username, want) => {
    expect(loginAddress(username, domains) as string | undefined).toBe(want);
  });
});

test("loginAddress() gives a local address in lower case, or nothing, whatever is typed", () => {
  const domains = ["example.org"] as Domain[];
  const wild = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }).map((name) => `${name}@example.org`),
    fc.stringMatching(/^[A-Za-z0-9._%/@+-]{0,40}$/).map((name) => `${name}@EXAMPLE.org.`),
  );
  fc.assert(
    fc.property(wild, (username) => {
      const address = loginAddress(username, domains);
      if (address === undefined) return;
      expect(address).toMatch(/^[^@%A-Z\s]{1,64}@example\.org$/);
      expect(loginAddress(address, domains)).toBe(address);
    }),
  );
});

describe("passwordFault()", () => {
  const rows: [string, string, ReturnType<typeof passwordFault>][] = [
    ["one character too few", "x".repeat(8), "passwordTooShort"],
    ["just enough", "x".repeat(9), undefined],
    ["quotes, slashes, blanks", "\"'\\/ \t{}", "passwordTooShort"],
    ["quotes, slashes, blanks, enough", "\"'\\/ \t{}~é", undefined],
    ["a line end", "abcdefgh\nijk", "passwordCharacter"],
    ["a NUL", "abcdefgh\0ijk", "passwordCharacter"],
    ["the longest", "x".repeat(1024), undefined],
    ["one byte too many", "x".repeat(1025), "passwordTooLong"],
    ["one byte too many in few characters", `${"☃".repeat(341)}xx`, "passwordTooLong"],
  ];
  test.each(rows)("of %s", (_, password, want) => {
    expect(passwordFault(password, rules)).toBe(want);
  });
});

describe("generated", () => {
  test("names have nine characters of [a-z0-9], within the rules", () => {
    const wide = { ...rules, username_min_length: 8, username_max_length: 32 };
    expect(generateName(systemRandom, wide)).toMatch(/^[a-z0-9]{9}$/);
    expect(generateName(systemRandom, { ...wide, username_min_length: 12 })).toMatch(/^[a-z0-9]{12}$/);
    expect(generateName(systemRandom, { ...wide, username_max_length: 8 })).toMatch(/^[a-z0-9]{8}$/);
  });

  test("passwords are longer than the shortest allowed, and need no escaping", () => {
    expect(generatePassword(systemRandom, rules)).toMatch(/^[A-Za-z0-9]{24}$/);
    const strict = { ...rules, password_min_length: 256 };
    const long = generatePassword(systemRandom, strict);
    expect(long).toMatch(/^[A-Za-z0-9]{257}$/);
    expect(passwordFault(long, strict)).toBeUndefined();
  });

  test("text throws away bytes that would favour some characters", () => {
    // 252 = 7 × 36: the four bytes from there on would make a, b, c and d likelier.
    const bytes = [252, 255, 0, 36, 251, 1, 253, 2, 3, 4, 5, 6, 254, 7];
    let at = 0;
    const random = (n: number) => Uint8Array.from({ length: n }, () => bytes[at++ % bytes.length] ?? 0);
    expect(generateName(random, { ...rules, username_max_length: 9 })).toBe("aa9bcdefg");
  });

  test("names always pass the rules they were made for", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 32 }), fc.integer({ min: 0, max: 32 }), (min, more) => {
        const bounds = { ...rules, username_min_length: min, username_max_length: min + more };
        const name = generateName(systemRandom, bounds);
        const fault = nameFault(name, bounds);
        // A short made-up name may happen to be a reserved word; nothing else may be wrong with it.
        expect(fault === undefined || fault === "reserved").toBe(true);
        expect(parseAddress(`${name}@example.org`)).toBeDefined();
      }),
    );
  });
});
