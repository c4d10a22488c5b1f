/** The gate beside openpgp.js: what the gate calls encrypted, openpgp.js reads as encrypted packets and nothing else. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import * as openpgp from "openpgp";
import { concat, fromLatin1 } from "../core/bytes.ts";
import { parseStructure } from "../mime/structure.ts";
import * as fix from "./fixtures.test-help.ts";
import { createMessageScanner } from "./scanner.ts";

const runs = { numRuns: 150 };
const sessionKeyTags = new Set([1, 3]);
const dataTags = new Set([18, 20]);

function judge(message: string): string {
  const scanner = createMessageScanner();
  scanner.write(fromLatin1(message));
  return scanner.end().submitted.kind;
}

/**
 * Tags of all packets as openpgp.js finds them.
 * @returns undefined when it dislikes something that the gate is not about; @throws whatever else openpgp.js throws
 */
async function tagsOf(armored: string): Promise<number[] | undefined> {
  const { data } = await openpgp.unarmor(armored);
  const config = { ...openpgp.config, ignoreMalformedPackets: true, ignoreUnsupportedPackets: true };
  try {
    const list = await openpgp.PacketList.fromBinary(data, allPackets as never, config);
    return list.map((packet) => {
      if (packet instanceof openpgp.UnparseablePacket) return packet.tag;
      return (packet.constructor as unknown as { tag: number }).tag;
    });
  } catch (error) {
    const text = String(error);
    // Partial lengths of session keys: the peers' filters let them pass, RFC 9580 §4.2.1.4 does not.
    if (text.includes("does not support partial lengths")) return undefined;
    // What is inside an encrypted packet, e.g. an unknown cipher, is for the recipient to judge.
    if (/Parsing (SymEncryptedIntegrityProtectedData|AEADEncryptedData)Packet failed/.test(text))
      return undefined;
    throw error;
  }
}

const { packet: tag } = openpgp.enums;
const allPackets = {
  [tag.publicKeyEncryptedSessionKey]: openpgp.PublicKeyEncryptedSessionKeyPacket,
  [tag.symEncryptedSessionKey]: openpgp.SymEncryptedSessionKeyPacket,
  [tag.symEncryptedIntegrityProtectedData]: openpgp.SymEncryptedIntegrityProtectedDataPacket,
  [tag.aeadEncryptedData]: openpgp.AEADEncryptedDataPacket,
  [tag.literalData]: openpgp.LiteralDataPacket,
  [tag.compressedData]: openpgp.CompressedDataPacket,
};

/** @returns true when both read the message as encrypted */
async function expectAgreement(armored: string): Promise<boolean> {
  if (judge(fix.pgpMime({ armored })) !== "encrypted") return false;
  const tags = await tagsOf(armored);
  if (tags === undefined) return false;
  expect(dataTags.has(tags.at(-1) ?? 0)).toBe(true);
  expect(tags.length).toBeGreaterThan(1);
  expect(tags.slice(0, -1).every((each) => sessionKeyTags.has(each))).toBe(true);
  return true;
}

/** A body whose version octet openpgp.js knows, so that it reads on. */
const body = (version: number) =>
  fc.uint8Array({ minLength: 40, maxLength: 900 }).map((bytes) => concat([Uint8Array.of(version), bytes]));
const aPacket = fc.oneof(
  { weight: 4, arbitrary: body(3).map((bytes) => fix.packet(1, bytes)) },
  { weight: 2, arbitrary: body(4).map((bytes) => fix.packet(3, bytes)) },
  { weight: 1, arbitrary: body(3).map((bytes) => fix.oldPacket(1, bytes)) },
  { weight: 3, arbitrary: body(1).map((bytes) => fix.packet(18, bytes)) },
  { weight: 1, arbitrary: body(1).map((bytes) => fix.packet(18, bytes, "partial")) },
  { weight: 1, arbitrary: body(1).map((bytes) => fix.packet(18, bytes, "five")) },
  { weight: 1, arbitrary: body(1).map((bytes) => fix.packet(20, bytes)) },
  { weight: 1, arbitrary: body(0x62).map((bytes) => fix.packet(11, bytes)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 9 }) },
);

describe("differential", () => {
  test("any sequence of packets", async () => {
    let passed = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(aPacket, { maxLength: 4 }), async (packets) => {
        if (await expectAgreement(fix.armor(concat(packets)))) passed++;
      }),
      { ...runs, seed: 1, numRuns: 400 },
    );
    // The generator must reach what it is about.
    expect(passed).toBeGreaterThan(10);
  });

  test("real messages with bytes of their packets changed, lost or added", async () => {
    const { data } = await openpgp.unarmor(await fix.encryptArmored(fix.pseudoRandom(300, 1)));
    const packets = data as Uint8Array;
    let passed = 0;
    const change = fc.record({
      at: fc.nat(packets.length),
      remove: fc.nat(3),
      add: fc.uint8Array({ maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, remove, add }) => {
        const changed = concat([packets.subarray(0, at), add, packets.subarray(at + remove)]);
        if (await expectAgreement(fix.armor(changed))) passed++;
      }),
      { ...runs, seed: 2 },
    );
    expect(passed).toBeGreaterThan(3);
  });

  test("real messages with characters of their armor changed, lost or added", async () => {
    const armored = await fix.encryptArmored(fix.pseudoRandom(100, 1));
    const text = fc.string({
      unit: fc.constantFrom("=", "-", "\r", "\n", " ", ":", "A", "z", "0", "+", "/", "\t"),
      maxLength: 4,
    });
    const change = fc.record({ at: fc.nat(armored.length), remove: fc.nat(4), add: text });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, remove, add }) => {
        await expectAgreement(armored.slice(0, at) + add + armored.slice(at + remove));
      }),
      { ...runs, seed: 3 },
    );
  });

  test("messages of openpgp.js of any size are let through and read back", async () => {
    for (const size of [0, 1, 2, 3, 1000, 70_000]) {
      const armored = await fix.encryptArmored(fix.pseudoRandom(size, size));
      expect(judge(fix.pgpMime({ armored }))).toBe("encrypted");
      await openpgp.readMessage({ armoredMessage: armored });
      expect(await expectAgreement(armored)).toBe(true);
    }
  });
});

describe("beside a lenient MIME reader", () => {
  /** Everything of the message that a reader of mail would show, its header aside. */
  function shownBy(text: string): string[] {
    const bytes = fromLatin1(text);
    const { root, body } = parseStructure(bytes);
    const shown = root.parts.flatMap((part) => [
      `${part.type}/${part.subtype}`,
      text.slice(part.body.start, part.body.end),
    ]);
    const first = root.parts[0]?.header.start ?? body.end;
    const last = root.parts.at(-1)?.body.end ?? body.start;
    const around = text.slice(body.start, first) + text.slice(last, body.end);
    return [
      `${root.type}/${root.subtype}`,
      around.replace(/\r\n--b(--)?[ \t]*(?=\r\n|$)/g, "").trim(),
      ...shown,
    ];
  }

  test("what the gate calls encrypted has two parts, a version and armor for it too, and nothing around them", () => {
    const armored = fix.armor(fix.fakePackets(60));
    const message = fix.pgpMime({ armored, boundary: "b" });
    const body = message.indexOf("Content-Type: multipart");
    const text = fc.string({
      unit: fc.constantFrom(
        "\r\n",
        "--b",
        "--",
        "\n",
        "\r",
        " ",
        "b",
        ";",
        ":",
        '"',
        "=",
        "(",
        "Content-Type: text/plain",
        "x",
      ),
      maxLength: 5,
    });
    const change = fc.record({
      at: fc.integer({ min: body, max: message.length }),
      remove: fc.nat(6),
      add: text,
    });
    let passed = 0;
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 2 }), (changes) => {
        let changed = message;
        for (const { at, remove, add } of changes)
          changed = changed.slice(0, at) + add + changed.slice(at + remove);
        if (judge(changed) !== "encrypted") return;
        passed++;
        const [type, around, ...parts] = shownBy(changed);
        expect([type, around, parts.length]).toEqual(["multipart/encrypted", "", 4]);
        expect([parts[0], parts[1]?.trim(), parts[2]]).toEqual([
          "application/pgp-encrypted",
          "Version: 1",
          "application/octet-stream",
        ]);
        expect(parts[3]?.trim()).toMatch(
          /^-----BEGIN PGP MESSAGE-----\r\n[ \t]*\r\n[A-Za-z0-9+/=\r\n]+-----END PGP MESSAGE-----$/,
        );
      }),
      { seed: 5, numRuns: 3000 },
    );
    expect(passed).toBeGreaterThan(50);
  });
});

describe("any bytes", () => {
  const pieces = fc.constantFrom(
    "\r\n",
    "\n",
    "\r",
    "--b",
    "--b--",
    " ",
    "Content-Type: application/pgp-encrypted\r\n",
    "Content-Type: application/octet-stream\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Version: 1",
    "-----BEGIN PGP MESSAGE-----",
    "-----END PGP MESSAGE-----",
    "wQEA0gEA",
    "=twTO",
    "=",
    "\u00c1\u0001x",
  );
  const start = "Content-Type: multipart/encrypted; boundary=b\r\n\r\n";

  test("never make the scanner throw, and the facts do not depend on the cuts", () => {
    const message = fc.array(fc.oneof(pieces, fc.string({ maxLength: 5 })), { maxLength: 30 });
    fc.assert(
      fc.property(message, fc.boolean(), fc.array(fc.nat(40), { maxLength: 20 }), (words, isPgp, steps) => {
        const bytes = fromLatin1((isPgp ? start : "") + words.join(""));
        const whole = createMessageScanner();
        whole.write(bytes);
        const cut = createMessageScanner();
        let at = 0;
        for (const step of steps) {
          cut.write(bytes.subarray(at, at + step));
          at += step;
        }
        cut.write(bytes.subarray(at));
        expect(cut.end()).toEqual(whole.end());
      }),
      { seed: 4, numRuns: 1500 },
    );
  });
});
