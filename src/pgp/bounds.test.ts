/** The gate's machinery: checksum, base64, multipart splitter; memory and time in the face of hostile messages. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { concat, fromLatin1 } from "../core/bytes.ts";
import { Base64Lines, makeScratch } from "./base64.ts";
import { CRC24_INIT, crc24 } from "./crc24.ts";
import * as fix from "./fixtures.test-help.ts";
import { MultipartSplitter } from "./multipart.ts";
import { createMessageScanner } from "./scanner.ts";

describe("crc24()", () => {
  const checksum = (bytes: Uint8Array, firstPart: number): string => {
    const scratch = makeScratch();
    let crc = CRC24_INIT;
    for (const part of [bytes.subarray(0, firstPart), bytes.subarray(firstPart)]) {
      scratch.bytes.set(part);
      crc = crc24(crc, scratch, part.length);
    }
    return Uint8Array.of(crc >> 16, (crc >> 8) & 255, crc & 255).toBase64();
  };
  test("agrees with the bitwise definition for every length around its step, however cut", () => {
    for (let length = 0; length < 70; length++) {
      const bytes = fix.pseudoRandom(length, length);
      for (const cut of [0, 1, length >> 1, length]) expect(checksum(bytes, cut)).toBe(fix.checksumOf(bytes));
    }
  });
  test("of nothing is the initial value", () => expect(checksum(new Uint8Array(0), 0)).toBe("twTO"));
});

describe("Base64Lines", () => {
  function decode(text: string, step: number): Uint8Array | undefined {
    const scratch = makeScratch();
    const out: Uint8Array[] = [];
    const reader = new Base64Lines(scratch, (length) =>
      out.push(new Uint8Array(scratch.bytes.subarray(0, length))),
    );
    const data = fromLatin1(text.replace(/=+$/, ""));
    for (let at = 0; at < data.length; at += step) {
      if (!reader.write(data.subarray(at, at + step))) return undefined;
    }
    return reader.finish(text.length - data.length) ? concat(out) : undefined;
  }
  const steps = fc.integer({ min: 1, max: 200 });

  test("gives back what was encoded, for lines of any length and any cuts", () => {
    const widths = fc.integer({ min: 1, max: 80 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), widths, steps, (bytes, width, step) => {
        const body = bytes.toBase64();
        const text = body.replace(/=+$/, "").replace(new RegExp(`.{${width}}`, "g"), "$&\r\n");
        expect(decode(text + "=".repeat(body.length - body.replace(/=+$/, "").length), step)).toEqual(
          Buffer.from(bytes),
        );
      }),
      { seed: 1, numRuns: 400 },
    );
  });

  test("takes no other character, wherever it stands", () => {
    const text = fix.pseudoRandom(150, 1).toBase64().replace(/.{64}/g, "$&\r\n");
    const odd = fc.constantFrom(" ", "\t", "\f", "\r", "\n", "\0", "-", "_", "=", "é", "\v");
    fc.assert(
      fc.property(fc.nat(text.length - 1), odd, steps, (at, character, step) => {
        expect(decode(text.slice(0, at) + character + text.slice(at), step)).toBeUndefined();
      }),
      { seed: 2, numRuns: 600 },
    );
  });

  test("takes no group that is cut short or has bits left over", () => {
    for (const text of ["A", "AA", "AAA", "AAAAA", "A=", "AA=", "A===", "AB==", "AAB="]) {
      expect(decode(text, 1)).toBeUndefined();
    }
    for (const text of ["", "AA==", "AAA=", "AAAA"]) expect(decode(text, 1)).toBeDefined();
  });
});

describe("MultipartSplitter", () => {
  function split(text: string, step: number): string {
    const events: string[] = [];
    const splitter = new MultipartSplitter("b", {
      data: (bytes) => {
        const last = events.at(-1);
        const piece = Buffer.from(bytes).toString("latin1");
        if (last?.startsWith("'")) events[events.length - 1] = last + piece;
        else events.push(`'${piece}`);
      },
      delimiter: (isClose) => events.push(isClose ? "|end|" : "|"),
      broken: () => events.push("broken"),
    });
    const bytes = fromLatin1(text);
    for (let at = 0; at < bytes.length; at += step) splitter.write(bytes.subarray(at, at + step));
    events.push(String(splitter.end()));
    return events.join(" ");
  }
  const rows: [text: string, events: string][] = [
    ["--b\r\nx\r\n--b--\r\n", "| 'x |end| true"],
    ["pre\r\n--b\r\nx\r\n\r\n--b--", "'pre | 'x\r\n |end| true"],
    ["--b \t\r\nx\r\n--b--\t\r\nafter\r\n--b\r\n", "| 'x |end| 'after\r\n--b\r\n true"],
    ["--b\r\n--b\r\n--b--", "| | |end| true"],
    ["--b\r\nx\r\n-\r\n--\r\n--c\r\n", "| 'x\r\n-\r\n--\r\n--c\r\n false"],
    ["--b\r\nx\n--b--\r\n", "| 'x\n broken false"],
    ["--b\r\nx\r--b--\r\n", "| 'x\r broken false"],
    ["--b\r\nx --b--\r\n", "| 'x  broken false"],
    ["--b\r\nx\r\n--bc\r\n", "| 'x broken false"],
    ["--b\r\nx\r\n--b-\r\n", "| 'x broken false"],
    ["--b\nx", "broken false"],
    ["--b\rx\r\n", "broken false"],
    ["", "false"],
  ];
  for (const [text, events] of rows) {
    test(`${JSON.stringify(text)}, however cut`, () => {
      for (let step = 1; step <= text.length + 1; step++) expect(split(text, step)).toBe(events);
    });
  }
});

describe("hostile messages", () => {
  const head = 'Content-Type: multipart/encrypted; boundary="b"\r\n\r\n';
  const part2 = `--b\r\n${fix.VERSION_PART}\r\n--b\r\n${fix.DATA_HEADER}\r\n`;
  const begin = `${part2}-----BEGIN PGP MESSAGE-----\r\n\r\n`;
  const base64 = `--b\r\n${fix.VERSION_PART}\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n`;
  const quoted = base64.replace("base64\r\n", "quoted-printable\r\n");
  const size = 3_000_000;
  const fill = (text: string) => text.repeat(Math.ceil(size / text.length));
  const rows: [name: string, message: string][] = [
    ["an endless header", fill("X: y\r\n")],
    ["an endless header line", `X: ${fill("y")}`],
    ["an endless preamble", head + fill("text\r\n")],
    ["endless white space before the parts", head + fill(" \r\n")],
    ["endless parts", head + fill("--b\r\n")],
    ["endless near-delimiters", head + fill("\r\n--")],
    ["an endless delimiter line", `${head}--b${fill(" ")}`],
    ["an endless part header", `${head}--b\r\n${fill("X: y\r\n")}`],
    [
      "an endless version part",
      `${head}--b\r\nContent-Type: application/pgp-encrypted\r\n\r\n${fill("Version: 1\r\n")}`,
    ],
    ["endless blank lines before armor", head + part2 + fill("\r\n")],
    ["an endless armor header", `${head}${part2}-----BEGIN PGP MESSAGE-----\r\nVersion: ${fill("x")}`],
    ["endless blank lines within armor", head + begin + fill("\r\n")],
    ["an endless line of armor", head + begin + fill("A")],
    ["endless short lines of armor", head + begin + fill("A\r\n")],
    ["endless checksums", head + begin + fill("=twTO\r\n")],
    ["endless packets of no length", head + begin + fill(`${"wQDB".repeat(16)}\r\n`)],
    ["endless partial chunks of one byte", `${head}${begin}wQEA${fill(`${"0uAA".repeat(16)}\r\n`)}`],
    ["endless white space in base64", head + base64 + fill("\r\n")],
    ["endless padding of base64", `${head}${base64}AA${fill("=")}`],
    ["armor within base64 without end", head + base64 + fill("LS0tLS1CRUdJTiBQR1AgTUVTU0FHRS0tLS0t\r\n")],
    ["endless soft line ends in quoted-printable", head + quoted + fill("=\r\n")],
    ["endless blanks in quoted-printable", head + quoted + fill(" ")],
    ["endless escapes in quoted-printable", head + quoted + fill("=C1=01=41")],
    ["an endless epilogue", `${head}--b--\r\n${fill(" \r\n")}`],
    ["endless From fields", `From: ${fill('"a" <a@b>, (')}`],
  ];
  for (const [name, message] of rows) {
    test(`${name}: no throw, cleartext, linear time, bounded memory`, () => {
      const bytes = fromLatin1(message);
      Bun.gc(true);
      const before = process.memoryUsage().heapUsed;
      const start = performance.now();
      const scanner = createMessageScanner();
      for (let at = 0; at < bytes.length; at += 1000) scanner.write(bytes.subarray(at, at + 1000));
      Bun.gc(true);
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_500_000);
      expect(scanner.end().received.kind).toBe("cleartext");
      expect(performance.now() - start).toBeLessThan(4000);
    });
  }

  test("a large good message is scanned in bounded memory", () => {
    const message = fix.fakeEncryptedMessage(8_000_000);
    const scanner = createMessageScanner();
    let most = 0;
    Bun.gc(true);
    const before = process.memoryUsage().heapUsed;
    for (let at = 0; at < message.length; at += 65_536) {
      scanner.write(message.subarray(at, at + 65_536));
      if (at % (65_536 * 32) !== 0) continue;
      Bun.gc(true);
      most = Math.max(most, process.memoryUsage().heapUsed - before);
    }
    expect(scanner.end().submitted.kind).toBe("encrypted");
    expect(most).toBeLessThan(500_000);
  });

  test("scanners that run at the same time do not disturb each other", () => {
    const message = fix.fakeEncryptedMessage(30_000);
    const scanners = Array.from({ length: 5 }, () => createMessageScanner());
    for (let at = 0; at < message.length + 5000; at += 333) {
      for (const [i, scanner] of scanners.entries()) {
        const from = at - i * 1000;
        if (from + 333 > 0) scanner.write(message.subarray(Math.max(0, from), from + 333));
      }
    }
    for (const scanner of scanners) expect(scanner.end().submitted.kind).toBe("encrypted");
  });
});
