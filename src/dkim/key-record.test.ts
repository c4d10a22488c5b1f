import { expect, test } from "bun:test";
import { createPublicKey } from "node:crypto";
import * as fc from "fast-check";
import { dkimCrypto } from "../policy/origin-crypto.ts";
import { testKey } from "../../test/support/dkim.ts";
import { parseKeyRecord } from "./key-record.ts";

const rsa = testKey("rsa", "r");
const ed = testKey("ed25519", "e");
const p = rsa.record.slice(rsa.record.indexOf("p=") + 2);
const edP = ed.record.slice(ed.record.indexOf("p=") + 2);
const pkcs1 = createPublicKey(rsa.privateKey).export({ format: "der", type: "pkcs1" }).toString("base64");
const weak = testKey("rsa", "w", 512).record;

const good: readonly (readonly [name: string, record: string, bits: number])[] = [
  ["as the standard shows it", rsa.record, 2048],
  ["without v=", `k=rsa; p=${p}`, 2048],
  ["without k=", `v=DKIM1; p=${p}`, 2048],
  ["as chatmail relays publish it", `v=DKIM1;k=rsa;p=${p};s=email;t=s`, 2048],
  ["white space in the key", `v=DKIM1 ;  p = ${p.slice(0, 100)} \t ${p.slice(100)} ; `, 2048],
  ["escaped semicolons", `v=DKIM1\\; k=rsa\\; p=${p}`, 2048],
  ["quotes left over", `"v=DKIM1; k=rsa; " "p=${p}"`, 2048],
  ["escaped quotes", `\\"v=DKIM1; k=rsa; p=${p}\\"`, 2048],
  ["RSAPublicKey instead of SubjectPublicKeyInfo", `v=DKIM1; k=rsa; p=${pkcs1}`, 2048],
  ["Ed25519", ed.record, 256],
  ["all services, both hashes, notes", `v=DKIM1; h=sha1:sha256; s=*; n=hello; p=${p}`, 2048],
  ["a tag nobody knows", `v=DKIM1; zz=1; p=${p}`, 2048],
  ["1024 bits", testKey("rsa", "m", 1024).record, 1024],
];
for (const [name, record, bits] of good) {
  test(`a key record is read: ${name}`, () => {
    const result = parseKeyRecord(record, dkimCrypto);
    expect(result.ok && result.record.key.bits).toBe(bits);
  });
}

const bad: readonly (readonly [name: string, record: string, why: string])[] = [
  ["nothing", "", "noRecord"],
  ["another record", "v=spf1 mx ~all", "noRecord"],
  ["another version", `v=DKIM2; p=${p}`, "noRecord"],
  ["no key", "v=DKIM1; k=rsa", "noRecord"],
  ["a tag twice", `v=DKIM1; p=${p}; p=${p}`, "noRecord"],
  ["far too long", `v=DKIM1; n=${"x".repeat(3000)}; p=${p}`, "noRecord"],
  ["revoked", "v=DKIM1; p=", "revoked"],
  ["an unknown kind", `v=DKIM1; k=dsa; p=${p}`, "unknownKind"],
  ["a key that is no base64", "v=DKIM1; p=***", "badKey"],
  ["a key that is none", "v=DKIM1; p=AAAA", "badKey"],
  ["an RSA key called Ed25519", `v=DKIM1; k=ed25519; p=${p}`, "badKey"],
  ["an Ed25519 key called RSA", `v=DKIM1; k=rsa; p=${edP}`, "badKey"],
  ["512 bits", weak, "weakKey"],
  ["SHA-1 only", `v=DKIM1; h=sha1; p=${p}`, "otherHash"],
  ["for other services", `v=DKIM1; s=tlsrpt; p=${p}`, "notForMail"],
];
for (const [name, record, why] of bad) {
  test(`a key record is refused: ${name}`, () => {
    expect(parseKeyRecord(record, dkimCrypto)).toEqual({ ok: false, why: why as never });
  });
}

test("flags are read", () => {
  const flags = (t: string) => {
    const result = parseKeyRecord(`v=DKIM1; t=${t}; p=${edP}; k=ed25519`, dkimCrypto);
    return result.ok ? [result.record.strictIdentity, result.record.testing] : [];
  };
  expect(flags("s")).toEqual([true, false]);
  expect(flags("y:s")).toEqual([true, true]);
  expect(flags("y")).toEqual([false, true]);
});

test("no text makes the reader throw", () => {
  fc.assert(
    fc.property(fc.string(), (text) => void parseKeyRecord(text, dkimCrypto)),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.base64String(), (key) => void parseKeyRecord(`p=${key}`, dkimCrypto)),
    { numRuns: 300 },
  );
});
