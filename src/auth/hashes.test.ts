import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { decoyHash, hashPassword, isImportedHash, isKnownHash, verifyPassword } from "./hashes.ts";
import { systemRandom } from "./names.ts";

// Made with: openssl passwd -5/-6, crypt(3) of libxcrypt, Python's hashlib, and the argon2 reference suite.
const vectors: [name: string, stored: string, password: string][] = [
  [
    "$6$",
    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    "Hello world!",
  ],
  ["$5$", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!"],
  [
    "$6$ of one character",
    "$6$s$OLVXgZEq4nUOMQHgvkWpsQlLxqSDvtVeUHgTshlKB5dG54bRawyIsWYkx6goXnC06BU0/38CkjhM1OkKDZRFK0",
    "a",
  ],
  [
    "$5$ of one character, longest salt",
    "$5$sixteencharsalt.$cXUlWxkiRANJD2eRYZs.0gClH3Pmkv/LpYSNVDmals9",
    "a",
  ],
  [
    "$6$ of a hundred characters",
    "$6$s$Ry4ZPOXCn8T2Vsfwu/WXZRluJIbjyELSq6ml2qfjBoLUw0RjK7drmwYPczkn3j4NYpDktoCI4V4Al5zm713vM.",
    "x".repeat(100),
  ],
  [
    "$5$ of a hundred characters",
    "$5$sixteencharsalt.$3bKbmYCFKyX2.usRz.RVuOub045tmVTY1Bxt9TL01p4",
    "x".repeat(100),
  ],
  [
    "$6$ of a password as long as the digest",
    "$6$abcd$iBx9FCzAlwvnZ5imJ8m7xWf2z6sQLplPJaQJkVEvcA3A.hlkQUp8VnlTBwx2Ichw8Can5nZOQ3V2RGFisYf7y1",
    "p".repeat(64),
  ],
  [
    "$6$ beyond ASCII",
    "$6$s$mvI0jcylsLC4TCGNfdZBhKnkkSFT2IuebQ6EOviHmcZ2oZYyQ9B3AfyVazxCmC40Kmibs033krPau9YBQ2zP50",
    "pässwörd ☃",
  ],
  ["$5$ beyond ASCII", "$5$sixteencharsalt.$N2VGB9uHTC/kDlHaKmWNmgLeMuWLnNZdTY0rz8gTVx8", "pässwörd ☃"],
  [
    "$6$ with rounds",
    "$6$rounds=1400$anotherlongsalts$gPMlA94OfhL/Pia4zxHJc3nX4e.QHWE4qmiAwv4JU1EZGtBpi4AFpudyw4ngQ/66FWY1/Ww.e8YN9X529OX7b/",
    "rounds",
  ],
  [
    "$5$ with rounds",
    "$5$rounds=10000$saltstringsaltst$LyLN1yp.pbz5Z03W.BX/2ZqBzBCYVJnfRc8lcrkciEA",
    "rounds",
  ],
  [
    "{SHA512-CRYPT}",
    "{SHA512-CRYPT}$6$abc$K4v3HcZ8yAmpRfxML6S46NCcqy9r4/KdbQpFvqSWsBf4dgySOEOo1DHJTrmn2BsJK2aNmPN8Tfb826D2o9.z51",
    "x",
  ],
  [
    "{SHA256-CRYPT}",
    "{sha256-crypt}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
    "Hello world!",
  ],
  [
    "{CRYPT} with bcrypt",
    "{CRYPT}$2y$05$abcdefghijklmnopqrstuuFzejfplTChgPyZNQOF2kNcZhBC.ObAS",
    "secret pass",
  ],
  ["{PLAIN}", "{PLAIN}pa{ss} wörd", "pa{ss} wörd"],
  ["{CLEARTEXT}", "{CLEARTEXT}$6$not$a$hash", "$6$not$a$hash"],
  ["$2a$", "$2a$05$abcdefghijklmnopqrstuuFzejfplTChgPyZNQOF2kNcZhBC.ObAS", "secret pass"],
  ["$2b$", "$2b$05$abcdefghijklmnopqrstuuFzejfplTChgPyZNQOF2kNcZhBC.ObAS", "secret pass"],
  ["$2y$", "$2y$05$abcdefghijklmnopqrstuuFzejfplTChgPyZNQOF2kNcZhBC.ObAS", "secret pass"],
  ["bcrypt:", "bcrypt:$2a$05$abcdefghijklmnopqrstuuFzejfplTChgPyZNQOF2kNcZhBC.ObAS", "secret pass"],
  [
    "bcrypt of eighty characters, of which it sees 72",
    "$2b$05$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576q",
    "x".repeat(80),
  ],
  [
    "sha256:",
    "sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=:m8sG3wjU8P3g/+MRQ0Nczv2J+woxHPhRfMbhon4f42U=",
    "pässword",
  ],
  [
    "argon2id with a short salt",
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "password",
  ],
  [
    "argon2id with two lanes",
    "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
    "password",
  ],
  [
    "{ARGON2ID}",
    "{ARGON2ID}$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
    "password",
  ],
  [
    "argon2i",
    "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
    "password",
  ],
  ["argon2:", "argon2:2:256:2:c29tZXNhbHQ=:bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc=", "password"],
  [
    "argon2: with a tag of 64 bytes",
    "argon2:3:1024:1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=:6aiXRR7WK5ff8P9PFa8vxB/ga6vO+BtDaJv1jqKelh4ajoH8h/BYFsFYBjuhiFGqcnIZmZELuznOUJBhMzBvCQ==",
    "correct horse",
  ],
];

describe("verifyPassword()", () => {
  test.each(vectors)("knows %s", async (_, stored, password) => {
    expect(await verifyPassword(stored, password)).toBe(true);
    expect(await verifyPassword(stored, `!${password.slice(1)}`)).toBe(false);
    expect(await verifyPassword(stored, "")).toBe(false);
    expect(isImportedHash(stored)).toBe(!stored.startsWith("$argon2id$"));
  });

  const malformed: [string, string][] = [
    ["nothing", ""],
    ["plain text without a scheme", "password"],
    ["an empty {PLAIN}", "{PLAIN}"],
    ["an unknown scheme", "{ROT13}password"],
    ["an encoded scheme", "{PLAIN.b64}cGFzc3dvcmQ="],
    ["a scheme within a scheme", "{CRYPT}{PLAIN}password"],
    ["argon2 with a broken tag", "$argon2id$v=19$m=8192,t=1,p=1$c29tc2FsdHNvbWVzYWx0$!!"],
    ["argon2 of an old version", "$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQ"],
    [
      "argon2 that wants 4 GiB",
      "$argon2id$v=19$m=4194304,t=1,p=1$c29tc2FsdHNvbWVzYWx0$AAAAAAAAAAAAAAAAAAAAAA",
    ],
    ["argon2 without memory", "argon2:1:0:1:c29tZXNhbHQ=:bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc="],
    ["argon2: with too few parts", "argon2:1:64:1:c29tZXNhbHQ="],
    ["bcrypt that would run for minutes", "$2b$31$abcdefghijklmnopqrstuuFzejfplTChgPyZNQOF2kNcZhBC.ObAS"],
    ["bcrypt cut short", "$2b$05$abcdefghijklmnopqrstuuFzejf"],
    ["SHA-crypt with too many rounds", `$6$rounds=999999999$salt$${"a".repeat(86)}`],
    ["SHA-crypt with a digest of the other size", `$6$salt$${"a".repeat(43)}`],
    ["sha256 with a digest of another size", "sha256:AAEC:AAEC"],
  ];
  test.each(malformed)("takes no password for %s", async (_, stored) => {
    expect(await verifyPassword(stored, "password")).toBe(false);
    expect(await verifyPassword(stored, "")).toBe(false);
  });

  test("never throws, whatever is stored", async () => {
    const start = fc.constantFrom(
      "$argon2id$v=19$m=8,t=1,p=1$",
      "$6$",
      "$5$rounds=",
      "$2b$04$",
      "sha256:",
      "argon2:1:8:1:",
      "{CRYPT}$",
      "{",
      "",
    );
    await fc.assert(
      fc.asyncProperty(start, fc.string(), fc.string(), async (prefix, rest, password) => {
        // {PLAIN} aside, no random text is the hash of a random password.
        if (/^\{(plain|cleartext)\}/i.test(prefix + rest)) return;
        expect(await verifyPassword(prefix + rest, password)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});

test("SHA-crypt lets other work go on between its slices", async () => {
  let turns = 0;
  let running = true;
  const count = () => {
    turns++;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  await verifyPassword(`$6$rounds=40000$salt$${"a".repeat(86)}`, "password");
  running = false;
  expect(turns).toBeGreaterThanOrEqual(90);
});

describe("hashPassword()", () => {
  test.each([
    ["a short password", "nineteen characters", "$argon2id$v=19$m=19456,t=2,p=1$"],
    ["a long password", "twenty characters ok", "$argon2id$v=19$m=8192,t=1,p=1$"],
  ])("pays for %s what it needs", async (_, password, prefix) => {
    const stored = await hashPassword(password);
    expect(stored).toStartWith(prefix);
    expect(isImportedHash(stored)).toBe(false);
    expect(await verifyPassword(stored, password)).toBe(true);
    expect(await verifyPassword(stored, password.toUpperCase())).toBe(false);
  });
});

test.each(["long", "short"] as const)("a %s decoy is as well-formed as a real hash", async (cost) => {
  const decoy = decoyHash(systemRandom, cost);
  const real = await hashPassword(cost === "long" ? "x".repeat(20) : "x");
  expect(decoy.length).toBe(real.length);
  // A malformed one is refused at once; this one must be computed.
  expect(await Bun.password.verify("password", decoy)).toBe(false);
});

test.each(vectors)("isKnownHash() takes %s", (_, stored) => {
  expect(isKnownHash(stored)).toBe(true);
});

test.each([
  "",
  "secret",
  "{PLAIN}",
  "{MD5}abc",
  "{SHA512-CRYPT.b64}abc",
  "{CRYPT}secret",
  "$1$salt$abcdefgh",
  "$2b$10$short",
  "sha256:x:y",
  "bcrypt:secret",
])("isKnownHash() refuses %s", (stored) => {
  expect(isKnownHash(stored)).toBe(false);
});

test("isKnownHash() takes what is made here", async () => {
  expect(isKnownHash(await hashPassword("x".repeat(20)))).toBe(true);
});
