import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "bun:test";
import { methodNames } from "./client.test-help.ts";
import { masterKey, methods } from "./engine/methods.ts";
import { ssLink } from "./link.ts";
import { ensurePassword, knownPassword, SecretError } from "./secret.ts";

const dir = mkdtempSync(join(tmpdir(), "madmail-secret-"));
afterAll(() => rmSync(dir, { recursive: true }));

const parts = { host: "relay.test", port: 8388, tag: "relay.test" };

for (const [name, link, want] of [
  [
    "SIP004 in base64url without padding",
    { ...parts, method: "aes-128-gcm", password: "pw>>?" },
    "ss://YWVzLTEyOC1nY206cHc-Pj8@relay.test:8388#relay.test",
  ],
  [
    "SIP022 percent-encoded, never base64",
    { ...parts, method: "2022-blake3-aes-256-gcm", password: "AbC+/w==" },
    "ss://2022-blake3-aes-256-gcm:AbC%2B%2Fw%3D%3D@relay.test:8388#relay.test",
  ],
  [
    "an IPv6 host in brackets",
    { ...parts, method: "aes-128-gcm", password: "pw", host: "2001:db8::1", tag: "my relay" },
    "ss://YWVzLTEyOC1nY206cHc@[2001:db8::1]:8388#my%20relay",
  ],
] as const) {
  test(`ssLink() writes ${name}`, () => expect(ssLink(link)).toBe(want));
}

test("one secret, made once and for its owner only, serves every method", () => {
  expect(knownPassword(dir, { method: "aes-128-gcm" })).toBeUndefined();
  const first = ensurePassword(dir, { method: "aes-128-gcm" });
  const file = join(dir, "shadowsocks.secret");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  for (const method of methodNames) {
    const password = ensurePassword(dir, { method });
    expect(masterKey(methods[method], password)?.length).toBe(methods[method].keyBytes);
    expect(knownPassword(dir, { method })).toBe(password);
  }
  expect(ensurePassword(dir, { method: "aes-128-gcm" })).toBe(first);
  expect(readFileSync(file, "latin1")).not.toContain(first);
});

test("a password that can't be a key of the method is explained", () => {
  const settings = { method: "2022-blake3-aes-256-gcm", password: "correct horse" } as const;
  expect(() => ensurePassword(dir, settings)).toThrow(/exactly 32 bytes in base64/);
});

test("a broken secret file is explained", () => {
  const broken = mkdtempSync(join(dir, "broken-"));
  writeFileSync(join(broken, "shadowsocks.secret"), "short");
  expect(() => ensurePassword(broken, { method: "aes-128-gcm" })).toThrow(SecretError);
});
