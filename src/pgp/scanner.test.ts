import { describe, expect, test } from "bun:test";
import { concat, fromLatin1 } from "../core/bytes.ts";
import { HEADER_MAX_BYTES } from "../core/limits.ts";
import type { MessageFacts, MessageKind } from "./facts.ts";
import * as fix from "./fixtures.test-help.ts";
import { createMessageScanner } from "./scanner.ts";

const encrypted: MessageKind = { kind: "encrypted" };
const secureJoin: MessageKind = { kind: "secureJoinRequest" };
const clear = (flaw: Extract<MessageKind, { kind: "cleartext" }>["flaw"]): MessageKind => ({
  kind: "cleartext",
  flaw,
});

function scanIn(chunks: readonly Uint8Array[]): MessageFacts {
  const scanner = createMessageScanner();
  for (const chunk of chunks) {
    // The chunk is only borrowed: what the scanner keeps must be a copy, even if the chunk is a Buffer.
    const lent = Buffer.from(chunk);
    scanner.write(lent);
    lent.fill(0xaa);
  }
  return scanner.end();
}

const scanWhole = (message: Uint8Array) => scanIn([message]);

/** Whole, byte by byte, and cut in two at `cuts` points: always the same facts. */
function scanEveryWay(text: string | Uint8Array, cuts = 200): MessageFacts {
  const message = typeof text === "string" ? fromLatin1(text) : text;
  const facts = scanWhole(message);
  expect(scanIn(Array.from(message, (byte) => Uint8Array.of(byte)))).toEqual(facts);
  const step = Math.max(1, Math.floor(message.length / cuts));
  for (let at = 0; at <= message.length; at += step) {
    const cut = scanIn([message.subarray(0, at), message.subarray(at)]);
    if (!Bun.deepEquals(cut, facts)) expect({ at, facts: cut }).toEqual({ at, facts });
  }
  return facts;
}

type Row = [name: string, message: string | Uint8Array, submitted: MessageKind, received?: MessageKind];

function runRows(rows: readonly Row[]): void {
  for (const [name, message, submitted, received] of rows) {
    test(name, () => {
      const facts = scanEveryWay(message);
      expect({ submitted: facts.submitted, received: facts.received }).toEqual({
        submitted,
        received: received ?? submitted,
      });
    });
  }
}

const bytes = (length: number, seed = 7) => fix.pseudoRandom(length, seed);
const pkesk = fix.packet(1, bytes(94));
const seipd = fix.packet(18, bytes(120));
const good = concat([pkesk, seipd]);
const armored = fix.armor(good);
const mime = (options: Partial<fix.PgpMimeOptions> = {}) => fix.pgpMime({ armored, ...options });
const withPackets = (...packets: Uint8Array[]) => mime({ armored: fix.armor(concat(packets)) });
const binary = (packets: Uint8Array, encoding = "binary") =>
  mime({
    dataHeader: `Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: ${encoding}\r\n`,
    armored: encoding === "base64" ? base64Lines(packets) : Buffer.from(packets).toString("latin1"),
  });
const base64Lines = (data: Uint8Array) => data.toBase64().replace(/.{1,76}/g, "$&\r\n");
/** Bytes without line ends and boundaries in them, so that they may stand in an 8bit part. */
const quiet = (packets: Uint8Array) => packets.map((byte) => (byte === 10 || byte === 13 ? 0 : byte));

describe("real messages of openpgp.js", () => {
  test("a message to keys and one to a passphrase are encrypted, however cut", async () => {
    const keys = await fix.encryptedMessage({ from: "a@relay.test", to: "b@relay.test", bodyBytes: 300 });
    expect(scanEveryWay(keys).submitted).toEqual(encrypted);
    const passphrase = await fix.encryptArmoredWithPassphrase(bytes(200));
    expect(scanEveryWay(mime({ armored: passphrase })).submitted).toEqual(encrypted);
  });

  test("a large message is encrypted and its header is out before its body comes", async () => {
    const message = await fix.encryptedMessage({
      from: "a@relay.test",
      to: "b@relay.test",
      bodyBytes: 300_000,
    });
    const scanner = createMessageScanner();
    const headerEnd = Buffer.from(message).indexOf("\r\n\r\n") + 4;
    scanner.write(message.subarray(0, headerEnd - 1));
    expect(scanner.header).toBeUndefined();
    scanner.write(message.subarray(headerEnd - 1, headerEnd));
    expect(scanner.header && fix.textOf(scanner.header)).toBe(fix.textOf(message.subarray(0, headerEnd)));
    for (let at = headerEnd; at < message.length; at += 999) scanner.write(message.subarray(at, at + 999));
    expect(scanner.end().submitted).toEqual(encrypted);
  });
});

describe("MIME structure", () => {
  const end = (rest: string) => `\r\n--1893b0e7de59bb00${rest}`;
  const type = (text: string) => ({ contentType: `Content-Type: ${text}` });
  runRows([
    ["the baseline passes", mime(), encrypted],
    [
      "types in upper case pass",
      mime({ ...type('MULTIPART/Encrypted; BOUNDARY="1893b0e7de59bb00"') }),
      encrypted,
    ],
    [
      "part types with parameters pass",
      mime({ dataHeader: "Content-Type: application/octet-stream; name=a; x=y\r\n" }),
      encrypted,
    ],
    [
      "part 1 with a padded version line passes",
      mime({ versionPart: "Content-Type: application/pgp-encrypted\r\n\r\n \r\n  Version: 1 \t\r\n\r\n" }),
      encrypted,
    ],
    ["transport padding after a delimiter passes", mime({ ending: end("--  \t\r\n") }), encrypted],
    ["a close delimiter at the very end passes", mime({ ending: end("--") }), encrypted],
    ["white space after the parts passes", mime({ ending: end("--\r\n\r\n \r\n") }), encrypted],
    ["no Content-Type", `${fix.outerHeader({})}\r\nhello\r\n`, clear("noContentType")],
    ["an unreadable Content-Type", mime(type("???")), clear("noContentType")],
    ["two Content-Type fields", mime({ extraHeader: "Content-Type: text/plain\r\n" }), clear("badMime")],
    [
      "text/plain with armor in it",
      `${fix.outerHeader({})}Content-Type: text/plain\r\n\r\n${armored}`,
      clear("notMultipartEncrypted"),
    ],
    [
      "multipart/mixed around the parts",
      mime(type("multipart/mixed; boundary=1893b0e7de59bb00")),
      clear("notMultipartEncrypted"),
    ],
    [
      "multipart/signed",
      mime(type("multipart/signed; boundary=1893b0e7de59bb00")),
      clear("notMultipartEncrypted"),
    ],
    ["no boundary", mime(type("multipart/encrypted")), clear("noBoundary")],
    ["an empty boundary", mime(type('multipart/encrypted; boundary=""')), clear("noBoundary")],
    [
      "a boundary in pieces (RFC 2231)",
      mime(type("multipart/encrypted; boundary*0=1893b0e7; boundary*1=de59bb00")),
      clear("badMime"),
    ],
    [
      "a boundary twice",
      mime(type("multipart/encrypted; boundary=x; boundary=1893b0e7de59bb00")),
      clear("badMime"),
    ],
    [
      "junk after the Content-Type",
      mime(type("multipart/encrypted; boundary=1893b0e7de59bb00 junk")),
      clear("badMime"),
    ],
    [
      "another protocol",
      mime(type("multipart/encrypted; protocol=text/plain; boundary=1893b0e7de59bb00")),
      clear("badMime"),
    ],
    [
      "the multipart itself in base64",
      mime({ extraHeader: "Content-Transfer-Encoding: base64\r\n" }),
      clear("badMime"),
    ],
    ["a line in the header that is no field", mime({ extraHeader: "hello you\r\n" }), clear("badMime")],
    [
      "an empty body",
      mime({ versionPart: "", ending: "" }).split("\r\n\r\n")[0] + "\r\n\r\n",
      clear("truncated"),
    ],
    ["text before the parts", mime({ preamble: "Meet me at noon\r\n" }), clear("cleartextAround")],
    [
      "what Thunderbird writes before the parts",
      mime({ preamble: "This is an OpenPGP/MIME encrypted message (RFC 4880 and 3156)\r\n" }),
      clear("cleartextAround"),
      encrypted,
    ],
    ["much white space before the parts", mime({ preamble: " \r\n".repeat(500) }), clear("cleartextAround")],
    ["text after the parts", mime({ ending: end("--\r\nMeet me at noon\r\n") }), clear("cleartextAround")],
    [
      "another delimiter after the parts",
      mime({ ending: end("--\r\n") + end("\r\n\r\nhi\r\n") + end("--\r\n") }),
      clear("cleartextAround"),
    ],
    [
      "a third part",
      mime({ ending: `${end("\r\nContent-Type: text/plain\r\n\r\nhi\r\n")}${end("--\r\n")}` }),
      clear("wrongPartCount"),
    ],
    [
      "one part only",
      mime({ versionPart: `${fix.VERSION_PART}\r\n--1893b0e7de59bb00--\r\n` }),
      clear("wrongPartCount"),
    ],
    ["no parts at all", mime({ preamble: "\r\n--1893b0e7de59bb00--\r\n" }), clear("wrongPartCount")],
    [
      "parts in the wrong order",
      mime({ versionPart: `${fix.DATA_HEADER}\r\n${armored}`, dataHeader: "", armored: fix.VERSION_PART }),
      clear("badVersionPart"),
    ],
    [
      "part 1 of another type",
      mime({ versionPart: "Content-Type: text/plain\r\n\r\nVersion: 1\r\n" }),
      clear("badVersionPart"),
    ],
    ["part 1 without a type", mime({ versionPart: "\r\nVersion: 1\r\n" }), clear("badVersionPart")],
    [
      "part 1 with another version",
      mime({ versionPart: "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 2\r\n" }),
      clear("badVersionPart"),
    ],
    [
      "part 1 with more text",
      mime({ versionPart: "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\nhi\r\n" }),
      clear("badVersionPart"),
    ],
    [
      "part 1 with a long body",
      mime({ versionPart: `Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1${" ".repeat(300)}` }),
      clear("badVersionPart"),
    ],
    [
      "part 1 with a text in its header",
      mime({ versionPart: "Content-Type: application/pgp-encrypted\r\nX-Text: hello\r\n\r\nVersion: 1\r\n" }),
      clear("badVersionPart"),
    ],
    [
      "part 2 with a text in its header",
      mime({ dataHeader: `${fix.DATA_HEADER}Subject: hello\r\n` }),
      clear("badDataPart"),
    ],
    [
      "part 2 with a field twice",
      mime({ dataHeader: `${fix.DATA_HEADER}Content-Description: more\r\n` }),
      clear("badDataPart"),
    ],
    [
      "part 2 with a huge header",
      mime({ dataHeader: `${fix.DATA_HEADER}Content-ID: ${"x".repeat(3000)}\r\n` }),
      clear("badDataPart"),
    ],
    ["part 2 of another type", mime({ dataHeader: "Content-Type: text/plain\r\n" }), clear("badDataPart")],
    ["part 2 without a type", mime({ dataHeader: "" }), clear("badDataPart")],
    ["no close delimiter", mime({ ending: "" }), clear("truncated")],
    ["cut in part 1", mime().slice(0, mime().indexOf("Version: 1")), clear("truncated")],
    ["a delimiter with a tail", mime({ ending: end("x\r\n") + end("--\r\n") }), clear("badMime")],
    [
      "a delimiter after a bare LF",
      mime({ versionPart: `${fix.VERSION_PART}\n--1893b0e7de59bb00\n\nhi` }),
      clear("badMime"),
    ],
    ["a delimiter that ends in a bare LF", mime({ ending: "\r\n--1893b0e7de59bb00--\n" }), clear("badMime")],
    [
      "a boundary that the armor line begins with",
      mime({ ...type('multipart/encrypted; boundary="---BEGIN"'), boundary: "---BEGIN" }),
      clear("badMime"),
    ],
    [
      "a nested multipart/encrypted",
      `${fix.outerHeader({})}Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n${mime()}\r\n--o--\r\n`,
      clear("notMultipartEncrypted"),
    ],
  ]);
});

test("a message that passes and one that does not are judged the same for a cut at each point", () => {
  expect(scanEveryWay(mime(), 1e6).submitted).toEqual(encrypted);
  expect(scanEveryWay(fix.secureJoinRequest(), 1e6).submitted).toEqual(secureJoin);
  const bad = withPackets(pkesk, fix.packet(11, bytes(20))).replace("=", " ");
  expect(scanEveryWay(bad, 1e6).submitted.kind).toBe("cleartext");
});

describe("armor", () => {
  const body = (text: string) => mime({ armored: text });
  const lines = armored.split("\r\n");
  const swap = (from: string | RegExp, to: string) => body(armored.replace(from, to));
  runRows([
    ["without a checksum passes (RFC 9580 §6.1)", body(fix.armor(good, { checksum: "" })), encrypted],
    ["with blank lines before it passes", body(`\r\n \r\n\r\n${armored}`), encrypted],
    ["with lines of 76 characters passes", body(fix.armor(good, { lineChars: 76 })), encrypted],
    ["with lines that cut groups passes", body(fix.armor(good, { lineChars: 61 })), encrypted],
    ["with white space after END passes", body(`${armored}\r\n \t\r\n`), encrypted],
    [
      "for data of each remainder passes: 1",
      body(fix.armor(concat([pkesk, fix.packet(18, bytes(121))]))),
      encrypted,
    ],
    [
      "for data of each remainder passes: 2",
      body(fix.armor(concat([pkesk, fix.packet(18, bytes(122))]))),
      encrypted,
    ],
    [
      "with a Version line passes when received",
      body(fix.armor(good, { headers: "Version: ProtonMail\r\n" })),
      clear("armorHeader"),
      encrypted,
    ],
    [
      "with two Version lines",
      body(fix.armor(good, { headers: "Version: a\r\nVersion: b\r\n" })),
      clear("armorHeader"),
    ],
    [
      "with a comment",
      body(fix.armor(good, { headers: "Comment: meet me at noon\r\n" })),
      clear("armorHeader"),
    ],
    [
      "with an over-long Version line",
      body(fix.armor(good, { headers: `Version: ${"x".repeat(2000)}\r\n` })),
      clear("badArmor"),
    ],
    ["with a wrong checksum", body(fix.armor(good, { checksum: "=AAAA\r\n" })), clear("badArmorChecksum")],
    ["with two checksums", swap(/(=....\r\n)(-----END)/, "$1$1$2"), clear("badArmor")],
    ["with a short checksum", body(fix.armor(good, { checksum: "=AAA\r\n" })), clear("badArmor")],
    ["with text after END", body(`${armored}Meet me at noon\r\n`), clear("cleartextAround")],
    ["with much white space after END", body(`${armored}${" ".repeat(2000)}\r\n`), clear("cleartextAround")],
    ["with text before BEGIN", body(`Hello\r\n${armored}`), clear("badArmor")],
    ["with much white space before BEGIN", body(`${"\r\n".repeat(1000)}${armored}`), clear("badArmor")],
    ["only BEGIN", body("-----BEGIN PGP MESSAGE-----\r\n"), clear("truncated")],
    ["only END", body("-----END PGP MESSAGE-----\r\n"), clear("badArmor")],
    ["no BEGIN", body(lines.slice(1).join("\r\n")), clear("badArmor")],
    ["no END", body(armored.replace(/-----END.*\r\n/, "")), clear("truncated")],
    ["a cut END line", swap("-----END PGP MESSAGE-----", "-----END PGP MESS"), clear("badArmor")],
    [
      "only a checksum",
      body("-----BEGIN PGP MESSAGE-----\r\n\r\n=twTO\r\n-----END PGP MESSAGE-----\r\n"),
      clear("badPacket"),
    ],
    [
      "no data at all",
      body("-----BEGIN PGP MESSAGE-----\r\n\r\n-----END PGP MESSAGE-----\r\n"),
      clear("badPacket"),
    ],
    ["no blank line before the data", swap("-----\r\n\r\n", "-----\r\n"), clear("armorHeader")],
    [
      "no base64 at all",
      body("-----BEGIN PGP MESSAGE-----\r\n\r\nHello there, how are you?\r\n-----END PGP MESSAGE-----\r\n"),
      clear("badArmor"),
    ],
    ["base64 of text", body(fix.armor(fromLatin1("Hello there, this is text"))), clear("badPacket")],
    ["a blank in a line", swap(/^(.{100})(.)/s, "$1 $2"), clear("badArmor")],
    ["a tab in a line", swap(/^(.{100})(.)/s, "$1\t$2"), clear("badArmor")],
    ["a `=` within the data", swap(/^(.{100})./s, "$1="), clear("badArmor")],
    ["a `-` within the data", swap(/^(.{100})./s, "$1-"), clear("badArmor")],
    ["a bare LF within the data", swap(/^(.{100})/s, "$1\n"), clear("badArmor")],
    ["a bare CR within the data", swap(/^(.{100})/s, "$1\r"), clear("badArmor")],
    ["bare LF line ends", body(armored.replaceAll("\r\n", "\n")), clear("badArmor")],
    ["of a public key", body(armored.replaceAll("PGP MESSAGE", "PGP PUBLIC KEY BLOCK")), clear("badArmor")],
    ["of a signed message", body(armored.replaceAll("PGP MESSAGE", "PGP SIGNED MESSAGE")), clear("badArmor")],
    ["two armors", body(armored + armored), clear("cleartextAround")],
  ]);
});

describe("packets", () => {
  const literal = fix.packet(11, fromLatin1("b\0\0\0\0\0Hello"));
  runRows([
    ["session key by passphrase passes", withPackets(fix.packet(3, bytes(20)), seipd), encrypted],
    [
      "several session keys of both kinds pass",
      withPackets(pkesk, fix.packet(3, bytes(20)), pkesk, seipd),
      encrypted,
    ],
    ["AEAD data packet (tag 20) passes", withPackets(pkesk, fix.packet(20, bytes(50))), encrypted],
    ["old-format session key passes", withPackets(fix.oldPacket(1, bytes(94)), seipd), encrypted],
    [
      "five-octet lengths pass",
      withPackets(fix.packet(1, bytes(94), "five"), fix.packet(18, bytes(99), "five")),
      encrypted,
    ],
    ["partial data packet passes", withPackets(pkesk, fix.packet(18, bytes(5000), "partial")), encrypted],
    ["partial session key passes", withPackets(fix.packet(1, bytes(700), "partial"), seipd), encrypted],
    ["data packet of two-octet length passes", withPackets(pkesk, fix.packet(18, bytes(1000))), encrypted],
    ["empty data packet passes", withPackets(pkesk, fix.packet(18, bytes(0))), encrypted],
    ["literal data", withPackets(literal), clear("notEncryptedPacket")],
    ["literal data after a session key", withPackets(pkesk, literal), clear("notEncryptedPacket")],
    ["compressed data", withPackets(fix.packet(8, bytes(30))), clear("notEncryptedPacket")],
    [
      "data without integrity protection (tag 9)",
      withPackets(pkesk, fix.packet(9, bytes(30))),
      clear("notEncryptedPacket"),
    ],
    [
      "a marker packet",
      withPackets(fix.packet(10, fromLatin1("PGP")), pkesk, seipd),
      clear("notEncryptedPacket"),
    ],
    ["a signature", withPackets(fix.packet(2, bytes(30))), clear("notEncryptedPacket")],
    ["literal data after the data packet", withPackets(pkesk, seipd, literal), clear("wrongPacketOrder")],
    ["two data packets", withPackets(pkesk, seipd, seipd), clear("wrongPacketOrder")],
    ["session key after the data packet", withPackets(pkesk, seipd, pkesk), clear("wrongPacketOrder")],
    ["only session keys", withPackets(pkesk, pkesk), clear("wrongPacketOrder")],
    ["no session key", withPackets(seipd), clear("wrongPacketOrder")],
    ["bytes after the data packet", withPackets(pkesk, seipd, Uint8Array.of(0)), clear("wrongPacketOrder")],
    ["bytes before the packets", withPackets(Uint8Array.of(0), pkesk, seipd), clear("badPacket")],
    ["a data packet shorter than its length", withPackets(pkesk, seipd.subarray(0, 100)), clear("truncated")],
    ["a data packet without a length", withPackets(pkesk, Uint8Array.of(0xd2)), clear("truncated")],
    ["a cut five-octet length", withPackets(pkesk, Uint8Array.of(0xd2, 255, 0, 0)), clear("truncated")],
    [
      "a length of 4 GiB",
      withPackets(pkesk, Uint8Array.of(0xd2, 255, 255, 255, 255, 255), bytes(50)),
      clear("truncated"),
    ],
    [
      "a length of 2 GiB",
      withPackets(pkesk, Uint8Array.of(0xd2, 255, 128, 0, 0, 0), bytes(50)),
      clear("truncated"),
    ],
    ["only partial chunks", withPackets(pkesk, Uint8Array.of(0xd2, 224 + 9), bytes(512)), clear("truncated")],
    [
      "partial chunks that end in their middle",
      withPackets(pkesk, Uint8Array.of(0xd2, 224 + 9), bytes(100)),
      clear("truncated"),
    ],
    ["old format without a length", withPackets(Uint8Array.of(0x87), bytes(94)), clear("badPacket")],
    ["tag 0", withPackets(Uint8Array.of(0xc0, 0)), clear("notEncryptedPacket")],
  ]);
});

describe("data part without armor or in base64", () => {
  runRows([
    ["binary packets pass", binary(good), encrypted],
    ["8bit packets pass", binary(quiet(good), "8bit"), encrypted],
    ["base64 of packets passes", binary(good, "base64"), encrypted],
    [
      "base64 of packets of each remainder passes: 1",
      binary(concat([pkesk, fix.packet(18, bytes(121))]), "base64"),
      encrypted,
    ],
    [
      "base64 of packets of each remainder passes: 2",
      binary(concat([pkesk, fix.packet(18, bytes(122))]), "base64"),
      encrypted,
    ],
    ["base64 of armor passes", binary(fromLatin1(armored), "base64"), encrypted],
    [
      "base64 of armor with text after it",
      binary(fromLatin1(`${armored}hello`), "base64"),
      clear("cleartextAround"),
    ],
    ["base64 of text", binary(fromLatin1("Meet me at noon"), "base64"), clear("badArmor")],
    ["base64 of nothing", binary(new Uint8Array(0), "base64"), clear("badArmor")],
    [
      "base64 with text after its padding",
      binary(good, "base64").replace(/=(\r\n\r\n--)/, "=\r\nhello$1"),
      clear("badDataPart"),
    ],
    [
      "armor that says it is base64",
      mime({ dataHeader: "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n" }),
      clear("badDataPart"),
    ],
    [
      "binary packets with a line end after them",
      binary(concat([good, fromLatin1("\r\n")])),
      clear("wrongPacketOrder"),
    ],
    ["binary literal data", binary(fix.packet(11, fromLatin1("hi"))), clear("notEncryptedPacket")],
  ]);
});

describe("data part in quoted-printable", () => {
  const quoted = (text: string) =>
    mime({
      dataHeader: "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: quoted-printable\r\n",
      armored: text,
    });
  const escaped = armored.replaceAll("=", "=3D");
  const all = (data: Uint8Array) =>
    [...data]
      .map(
        (byte, at) => `=${byte.toString(16).toUpperCase().padStart(2, "0")}${at % 24 === 23 ? "=\r\n" : ""}`,
      )
      .join("");
  runRows([
    ["armor with its = escaped passes", quoted(escaped), encrypted],
    ["armor in short lines passes", quoted(escaped.replace(/(\w{20})(?=\w)/g, "$1=\r\n")), encrypted],
    ["armor with every byte escaped passes", quoted(`${all(fromLatin1(armored))}\r\n`), encrypted],
    ["packets with every byte escaped pass", quoted(`${all(good)}=\r\n`), encrypted],
    ["armor as it is: its CRC is no escape", quoted(armored), clear("badDataPart")],
    ["text after the armor", quoted(`${escaped}hello`), clear("cleartextAround")],
    [
      "text after the armor, escaped",
      quoted(`${escaped}${all(fromLatin1("hello"))}`),
      clear("cleartextAround"),
    ],
    ["text", quoted("Meet me at noon=\r\n"), clear("badArmor")],
    ["a broken escape", quoted(escaped.replace("=3D", "=3X")), clear("badDataPart")],
    ["a byte that must be escaped", quoted(escaped.replace("=3D", "\xe4=3D")), clear("badDataPart")],
    ["an escape cut by the end", quoted(`${escaped}=`), clear("badDataPart")],
  ]);
});

describe("Secure-Join requests", () => {
  const not = clear("notMultipartEncrypted");
  const part = (options: Parameters<typeof fix.secureJoinRequest>[1]) =>
    fix.secureJoinRequest("vc-request", options);
  runRows([
    ["vc-request passes", fix.secureJoinRequest("vc-request"), secureJoin],
    ["vg-request passes", fix.secureJoinRequest("vg-request"), secureJoin],
    [
      "in mixed case passes",
      part({ header: "SECURE-Join: Vc-Request\r\n", body: "Secure-Join: VC-request\r\n" }),
      secureJoin,
    ],
    ["a later step of the protocol", fix.secureJoinRequest("vc-request-with-auth"), not],
    ["vc-request in the header only", part({ body: "Buy viagra!\r\n" }), not],
    ["the marker later in the body", part({ body: "Hello\r\nsecure-join: vc-request\r\n" }), not],
    ["text after the marker", part({ body: "secure-join: vc-request and more\r\n" }), not],
    ["a long body", part({ body: `secure-join: vc-request${" ".repeat(1000)}\r\n` }), not],
    ["no header", part({ header: "" }), not],
    ["the header twice", part({ header: "Secure-Join: vc-request\r\nSecure-Join: vc-request\r\n" }), not],
    ["a step injected into another header", part({ header: "X: a\r\n Secure-Join: vc-request\r\n" }), not],
    ["another header value", part({ header: "Secure-Join: vx-request\r\n" }), not],
    ["multipart/alternative", part({ type: "multipart/alternative" }), not],
    ["text/plain at the top", part({ type: "text/plain" }), not],
    ["an HTML part", part({ partHeader: "Content-Type: text/html\r\n" }), not],
    [
      "two parts",
      part({ ending: "--sj\r\nContent-Type: text/plain\r\n\r\nhello\r\n--sj--\r\n" }),
      clear("wrongPartCount"),
    ],
    ["text after the part", part({ ending: "--sj--\r\nhello\r\n" }), clear("cleartextAround")],
    [
      "as the core writes it passes: its part has the Message-ID",
      part({ partHeader: "Content-Type: text/plain\r\nMessage-ID: <0b2f7d0e-6d35@localhost>\r\n" }),
      secureJoin,
    ],
    [
      "a Message-ID with text",
      part({ partHeader: "Content-Type: text/plain\r\nMessage-ID: <hello dear friend@x>\r\n" }),
      clear("badMime"),
    ],
    [
      "two of them",
      part({ partHeader: "Content-Type: text/plain\r\nMessage-ID: <a@b>\r\nMessage-ID: <c@d>\r\n" }),
      clear("badMime"),
    ],
    [
      "a part header with text",
      part({ partHeader: "Content-Type: text/plain\r\nX-Note: hello\r\n" }),
      clear("badMime"),
    ],
    [
      "the header on an encrypted mail does not bypass it",
      mime({ armored: "hello", extraHeader: "Secure-Join: vc-request\r\n" }),
      clear("badArmor"),
    ],
  ]);
});

describe("bounces", () => {
  const report = (changes: { from?: string; auto?: string; type?: string } = {}) =>
    `From: ${changes.from ?? "Mail Delivery System <MAILER-DAEMON@relay.test>"}\r\n${changes.auto ?? "Auto-Submitted: auto-replied\r\n"}` +
    `Content-Type: ${changes.type ?? "multipart/report; report-type=delivery-status; boundary=b"}\r\n\r\n--b\r\n\r\nIt failed.\r\n--b--\r\n`;
  const not = clear("notMultipartEncrypted");
  runRows([
    ["a delivery report passes when received", report(), not, { kind: "bounce" }],
    [
      "one in mixed case passes",
      report({
        from: "mailer-Daemon@relay.test",
        auto: "AUTO-submitted: Auto-Generated\r\n",
        type: "Multipart/Report; boundary=b",
      }),
      not,
      { kind: "bounce" },
    ],
    ["from a person", report({ from: "alice@relay.test" }), not],
    ["from somebody who only begins so", report({ from: "mailer-daemon-alice@relay.test" }), not],
    [
      "with the daemon as a display name",
      report({ from: '"mailer-daemon@relay.test" <alice@relay.test>' }),
      not,
    ],
    ["from two", report({ from: "mailer-daemon@relay.test, alice@relay.test" }), not],
    ["from nobody", report({ from: "<>" }), not],
    ["without Auto-Submitted", report({ auto: "" }), not],
    ["with Auto-Submitted: no", report({ auto: "Auto-Submitted: no\r\n" }), not],
    ["with Auto-Submitted: No and a comment", report({ auto: "Auto-Submitted: No (really)\r\n" }), not],
    ["with an empty Auto-Submitted", report({ auto: "Auto-Submitted:\r\n" }), not],
    ["as multipart/mixed", report({ type: "multipart/mixed; boundary=b" }), not],
    [
      "as a read receipt in clear",
      report({ type: "multipart/report; report-type=disposition-notification; boundary=b" }),
      not,
    ],
    ["as text", report({ type: "text/plain" }), not],
  ]);
});

describe("the marker in odd places passes nowhere", () => {
  const marker = "application/pgp-encrypted";
  const plain = (header: string, body = "hi", type = "text/plain") =>
    `${fix.outerHeader({})}${header}Content-Type: ${type}\r\n\r\n${body}\r\n`;
  const places: [string, string][] = [
    ["the subject", plain(`X-Subject: ${marker}\r\n`)],
    ["the body", plain("", marker)],
    ["a display name", plain(`Reply-To: "${marker}" <a@b.test>\r\n`)],
    ["HTML", plain("", `<p>${marker}</p>`, "text/html")],
    ["a boundary", plain("", "--x", `multipart/mixed; boundary="${marker}"`)],
    ["a file name", plain("", "hi", `text/plain; name="${marker}"`)],
    ["a parameter", plain("", "hi", `multipart/alternative; protocol="${marker}"; boundary=x`)],
    ["a comment", plain("", "hi", `text/plain (${marker})`)],
    [
      "a part of multipart/alternative",
      mime({ contentType: "Content-Type: multipart/alternative; boundary=1893b0e7de59bb00" }),
    ],
  ];
  runRows(places.map(([name, message]) => [name, message, clear("notMultipartEncrypted")]));
  runRows([
    [
      "an Autocrypt Setup Message",
      plain("Autocrypt-Setup-Message: v1\r\n", "--x", "multipart/mixed; boundary=x"),
      clear("notMultipartEncrypted"),
    ],
  ]);
});

describe("header facts", () => {
  const facts = (header: string) => scanEveryWay(`${header}\r\nbody\r\n`);
  test("From fields are counted and read in order", () => {
    const read = facts(
      'From: "A, B" <a@x.test>, what, c@x.test (C)\r\nReceived: 1\r\nFROM : D <d@x.test>\r\nreceived: 2\r\n',
    );
    expect(read.from).toEqual(["a@x.test", "what", "c@x.test", "d@x.test"]);
    expect([read.fromFieldCount, read.receivedCount, read.headerMalformed]).toEqual([2, 2, false]);
  });
  test("UTF-8 in From is decoded", () => {
    expect(facts("From: \u00c3\u00bc <m\u00c3\u00bc@x.test>\r\n").from).toEqual(["mü@x.test"]);
  });
  const untidy = ["A: b\nC: d\r\n", "A: b\rC: d\r\n", "A: b\0\r\n", "\rA: b\r\n", "A: b\r\r\n"];
  for (const header of untidy) {
    test(`a bare CR, LF or NUL makes the header malformed: ${JSON.stringify(header)}`, () => {
      const read = facts(header);
      expect([read.headerMalformed, read.headerComplete]).toEqual([true, true]);
      expect(scanWhole(fromLatin1(header + mime())).submitted).toEqual(clear("badMime"));
    });
  }
  test("a header that ends in two bare LF ends there", () => {
    const read = facts("A: b\n\nFrom: x@y.test\r\n");
    expect([read.fromFieldCount, read.headerMalformed]).toEqual([0, true]);
  });
  test("an empty header and an empty message are told apart", () => {
    expect(scanEveryWay("\r\nbody").headerComplete).toBe(true);
    expect(scanEveryWay("").headerComplete).toBe(false);
    expect(scanEveryWay("From: a@b.test\r\n")).toMatchObject({ headerComplete: false, fromFieldCount: 1 });
  });
  test("a header up to the limit is kept, a larger one is not", () => {
    const header = (length: number) => `From: a@b.test\r\nX: ${"x".repeat(length - 23)}\r\n\r\n`;
    const largest = fromLatin1(header(HEADER_MAX_BYTES));
    expect(largest.length).toBe(HEADER_MAX_BYTES);
    const scanner = createMessageScanner();
    scanner.write(largest);
    expect(scanner.header?.length).toBe(HEADER_MAX_BYTES);
    const tooLarge = fromLatin1(header(HEADER_MAX_BYTES + 1));
    const whole = scanWhole(tooLarge);
    expect(whole).toMatchObject({ headerComplete: false, submitted: clear("truncated") });
    const pieces = Array.from({ length: 300 }, (_, i) => tooLarge.subarray(i * 1000, (i + 1) * 1000));
    expect(scanIn(pieces)).toEqual(whole);
  });
});
