import { describe, expect, test } from "bun:test";
import { readKey, readPrivateKey } from "openpgp";
import { type Address, parseAddress } from "../core/address.ts";
import { toLatin1, toUtf8 } from "../core/bytes.ts";
import { createMessageScanner } from "../pgp/scanner.ts";
import {
  armoredIdentity,
  autocryptField,
  autocryptKey,
  fingerprintOf,
  loadOpenpgp,
  makeIdentity,
  readIdentity,
} from "./identity.ts";
import { openLetter, sealLetter } from "./letter.ts";

const address = (text: string): Address => {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
};
const alice = await makeIdentity(address("alice@relay.test"));
const bob = await makeIdentity(address("bob@[192.0.2.1]"));
const draft = {
  from: alice,
  displayName: "Alice",
  to: { address: bob.address, key: bob.key.toPublic() },
  id: "abc-1",
  nowMs: Date.UTC(2026, 10, 22),
  text: "grüße\n.\nFrom me",
};

describe("letters", () => {
  test("a letter is read by whom it is for, with its signature, and by nobody else", async () => {
    const raw = await sealLetter({ ...draft, fields: [["Secure-Join", "vc-contact-confirm"]] });
    const opened = await openLetter(raw, bob.key);
    const payload = toUtf8(opened?.payload ?? new Uint8Array());
    expect(payload).toContain("\r\nSecure-Join: vc-contact-confirm\r\n");
    const body = Buffer.from(payload.slice(payload.indexOf("\r\n\r\n") + 4), "base64").toString();
    expect(body).toBe(draft.text);
    expect(await opened?.isSignedBy(alice.key.toPublic())).toBe(true);
    expect(await opened?.isSignedBy(bob.key.toPublic())).toBe(false);
    expect(await openLetter(raw, alice.key)).toBeUndefined();
  });

  test("the gate takes it, and nothing outside tells what is inside", async () => {
    const raw = await sealLetter(draft);
    const scanner = createMessageScanner();
    scanner.write(raw);
    expect(scanner.end().submitted).toEqual({ kind: "encrypted" });
    const outside = toLatin1(raw).split("-----BEGIN")[0] ?? "";
    for (const secret of ["Alice", "bob", "Autocrypt"]) expect(outside).not.toContain(secret);
  });

  test("a letter that grows beyond all measure is no letter", async () => {
    const { createMessage, encrypt, enums } = await loadOpenpgp();
    const bomb = async (bytes: number) =>
      encrypt({
        message: await createMessage({ binary: new Uint8Array(bytes) }),
        encryptionKeys: bob.key.toPublic(),
        config: { preferredCompressionAlgorithm: enums.compression.zlib },
        format: "armored",
      });
    const armored = async (bytes: number) => Buffer.from(await bomb(bytes));
    expect((await openLetter(await armored(1000), bob.key))?.payload).toHaveLength(1000);
    expect(await openLetter(await armored(8 * 1024 * 1024), bob.key)).toBeUndefined();
  });

  test.each([["not a letter"], ["-----BEGIN PGP MESSAGE-----\n\nabcd\n-----END PGP MESSAGE-----"], [""]])(
    "%p is no letter",
    async (text) => {
      expect(await openLetter(Buffer.from(text), bob.key)).toBeUndefined();
    },
  );
});

describe("identities", () => {
  test("an identity survives its armored form", async () => {
    const again = await readIdentity(alice.address, armoredIdentity(alice));
    expect(fingerprintOf(again.key)).toBe(fingerprintOf(alice.key));
    const locked = await readPrivateKey({ armoredKey: armoredIdentity(alice) });
    expect(locked.isDecrypted()).toBe(true);
  });

  test("an Autocrypt field gives the key of its own address only", async () => {
    const field = autocryptField(alice);
    const key = await autocryptKey(field, alice.address);
    expect(key === undefined ? "" : fingerprintOf(key)).toBe(fingerprintOf(alice.key));
    expect(await autocryptKey(field, bob.address)).toBeUndefined();
    expect(await autocryptKey("addr=alice@relay.test; keydata=AAAA", alice.address)).toBeUndefined();
    expect(await autocryptKey("", alice.address)).toBeUndefined();
    const stranger = await readKey({ armoredKey: bob.key.toPublic().armor() });
    expect(fingerprintOf(stranger)).toBe(fingerprintOf(bob.key));
  });
});
