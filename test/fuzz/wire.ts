/** Small parsers of what strangers send first: HTTP request heads, DEFLATE streams, and what operators write. */
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { concat, EMPTY, fromLatin1, toLatin1, toUtf8 } from "../../src/core/bytes.ts";
import { ConfigError } from "../../src/config/config.ts";
import { sampleConfig } from "../../src/config/document.ts";
import { configFromText } from "../../src/config/read.ts";
import { DeflateStream } from "../../src/net/deflate.ts";
import { InflateError } from "../../src/net/inflate.ts";
import { headEnd, parseHead } from "../../src/net/request-head.ts";
import { cut, mutate, Random } from "./random.ts";

const INFLATED_MAX_BYTES = 100_000;
const HEADS = [
  "GET / HTTP/1.1\r\nHost: relay.test\r\n\r\n",
  "GET http://relay.test/relay?x=1 HTTP/1.1\r\nHost: a\r\nUpgrade: iroh derp http\r\n\r\nrest",
  "POST /new HTTP/1.0\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
];
const HEAD_WORDS = [
  "\r\n\r\n",
  "\r\n",
  "\n",
  ": ",
  " HTTP/1.1",
  "Host: x\r\n",
  "http://",
  "?",
  "\0",
  "\xff",
  "x".repeat(500),
];
const CONFIG_WORDS = [
  "[",
  "]",
  "=",
  "\n",
  '"',
  "'''",
  "#",
  "1e999",
  "-1",
  "true",
  "nan",
  "[tls]\n",
  "__proto__ = 1\n",
  "0x",
  "\u0000",
];

export const headFuzz: { name: string; run(seed: number): void } = {
  name: "head",
  run(seed) {
    const random = new Random(seed);
    const bytes = mutate(fromLatin1(random.pick(HEADS)), random, HEAD_WORDS, 6);
    const end = headEnd(bytes);
    if (end > bytes.length) throw new Error("the head ends behind its bytes");
    // Found in pieces as the front door looks: a little before where it left off.
    let seen: Uint8Array = EMPTY;
    let found = -1;
    for (const piece of cut(bytes, random)) {
      const from = Math.max(0, seen.length - 3);
      seen = concat([seen, piece]);
      found = headEnd(seen, from);
      if (found >= 0) break;
    }
    if (found !== end) throw new Error(`the end of the head depends on the cuts: ${end} ${found}`);
    if (end < 0) return;
    const parsed = parseHead(bytes.subarray(0, end));
    if (parsed === undefined) return;
    if (!toLatin1(parsed.bytes).endsWith("\r\n\r\n")) throw new Error("a head without an end");
    const again = parseHead(parsed.bytes);
    if (JSON.stringify(again?.head) !== JSON.stringify(parsed.head))
      throw new Error("a head changed when read again");
  },
};

export const deflateFuzz: { name: string; run(seed: number): void } = {
  name: "deflate",
  run(seed) {
    const random = new Random(seed);
    const text = makeText(random);
    const flush = random.pick([constants.Z_SYNC_FLUSH, constants.Z_FULL_FLUSH, constants.Z_PARTIAL_FLUSH]);
    const sent = deflateRawSync(text, {
      level: random.below(10),
      strategy: random.below(5),
      finishFlush: flush,
    });
    const got = inflated(cut(sent, random));
    if (got.fault !== undefined || Buffer.compare(got.text, text) !== 0)
      throw new Error(`a good stream was not read: ${got.fault ?? "other text"}`);
    const out = new DeflateStream();
    const answered = concat(cut(text, random).map((piece) => out.deflate(piece)));
    const read = inflateRawSync(answered, { finishFlush: constants.Z_SYNC_FLUSH });
    if (Buffer.compare(read, text) !== 0) throw new Error("our stream is not what was put in");
    const spoilt = mutate(sent, random, ["\0\0\0\xff\xff", "\x01\0\0\xff\xff"], 4);
    if (hasEnd(spoilt)) return;
    const whole = inflated([spoilt]);
    const pieces = inflated(cut(spoilt, random));
    if (
      whole.fault === undefined &&
      pieces.fault === undefined &&
      Buffer.compare(whole.text, pieces.text) !== 0
    )
      throw new Error("the text depends on the cuts");
    if (
      (whole.fault === undefined) !== (pieces.fault === undefined) &&
      "tooLarge" !== (whole.fault ?? pieces.fault)
    )
      throw new Error(`faults depend on the cuts: ${whole.fault} ${pieces.fault}`);
  },
};

export const configFuzz: { name: string; run(seed: number): void } = {
  name: "config",
  run(seed) {
    const random = new Random(seed);
    const text = toUtf8(mutate(fromLatin1(sampleConfig()), random, CONFIG_WORDS, 5));
    try {
      configFromText(text, "/etc/madmail.toml");
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      if (error.message === "") throw new Error("a fault without a word", { cause: error });
    }
  },
};

/**
 * True if the stream has a final block, which no peer sends in a session (RFC 4978 §4): what then follows is read as
 * another stream, or not at all.
 */
function hasEnd(stream: Uint8Array): boolean {
  try {
    // Without a final block zlib wants more.
    inflateRawSync(stream);
    return true;
  } catch {
    return false;
  }
}

function makeText(random: Random): Uint8Array {
  const length = random.pick([0, 1, 10, 300, 5_000, 60_000]);
  const alphabet = random.pick([2, 16, 256]);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++)
    bytes[i] = random.below(4) === 0 && i > 40 ? (bytes[i - 40] ?? 0) : random.below(alphabet);
  return bytes;
}

function inflated(pieces: readonly Uint8Array[]): { text: Uint8Array; fault: string | undefined } {
  const stream = new DeflateStream(INFLATED_MAX_BYTES);
  const text: Uint8Array[] = [];
  try {
    for (const piece of pieces) {
      const loan = Buffer.from(piece);
      const got = stream.inflate(loan);
      loan.fill(0xaa);
      const bytes = got.reduce((sum, { length }) => sum + length, 0);
      if (bytes > INFLATED_MAX_BYTES) throw new Error(`${bytes} bytes came of ${piece.length}`);
      text.push(...got);
    }
  } catch (error) {
    if (!(error instanceof InflateError)) throw error;
    return { text: concat(text), fault: error.why };
  }
  return { text: concat(text), fault: undefined };
}
