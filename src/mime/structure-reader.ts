/**
 * The machine behind structure.ts: takes a message line by line and keeps a stack of open containers.
 * Delimiters are looked for in lines that begin with `--` only, among at most MIME_DEPTH_MAX boundaries.
 */
import { concat, CR, EMPTY, LF, toLatin1 } from "../core/bytes.ts";
import { envelopeOf } from "./envelope.ts";
import { type Field, fieldText, findField, parseFields } from "./header.ts";
import { BOUNDARY_MAX_CHARS, MIME_DEPTH_MAX, MIME_HEADERS_MAX_BYTES, MIME_PARTS_MAX } from "./limits.ts";
import type { MimeMessage, MimePart } from "./structure.ts";
import { boundaryOf, type ContentType, parseContentType, parseStructured } from "./structured.ts";

const DASH = 45;
/** `--`, the boundary, `--` and some transport padding (RFC 2046 §5.1.1). */
const DELIMITER_MAX_BYTES = BOUNDARY_MAX_CHARS + 64;
/** RFC 2045 §6.4: only these leave an embedded message readable as one. */
const IDENTITY_ENCODINGS = new Set(["7bit", "8bit", "binary"]);

type Draft = { -readonly [K in keyof MimePart]: MimePart[K] } & { parts: Draft[] };

/** An open multipart or message/rfc822 part. */
interface Container {
  part: Draft;
  /** Line count at the start of its body. */
  firstLine: number;
  /** Set for a multipart whose close delimiter has not come. */
  boundary: string | undefined;
  /** RFC 2046 §5.1.5: parts of a digest are messages unless they say otherwise. */
  isDigest: boolean;
}

interface Delimiter {
  level: number;
  isClose: boolean;
}

export class StructureReader {
  readonly #stack: Container[] = [];
  #message: MimeMessage | undefined;
  /** The part whose header or leaf body is being read; undefined in a preamble or epilogue. */
  #part: Draft | undefined = emptyPart(0);
  #firstLine = 0;
  #inHeader = true;
  /** Set while the header read is that of a message, with the part it stands in (none for the stored message). */
  #embedding: { owner: Draft | undefined } | undefined = { owner: undefined };
  #headerLines: Uint8Array[] = [];
  #headerBudget = MIME_HEADERS_MAX_BYTES;
  #partCount = 1;
  /** The kept begin of a line that was cut by the end of a slice, its true length so far, and its last byte. */
  #cut: Uint8Array[] = [];
  #cutBytes = 0;
  #lastByte = 0;
  /** Offset of the current line, count of line ends before it, and length of the last of them. */
  #lineStart = 0;
  #lines = 0;
  #lastLineEnd = 0;

  /** `chunk` is borrowed. */
  write(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      const lf = chunk.indexOf(LF, at);
      if (lf < 0) {
        this.#keep(chunk, at, chunk.length);
        return;
      }
      const beforeLf = lf > at ? chunk[lf - 1] : this.#cutBytes > 0 ? this.#lastByte : LF;
      const lineEndBytes = beforeLf === CR ? 2 : 1;
      if (this.#cutBytes > 0) {
        this.#keep(chunk, at, lf + 1);
        const text = this.#takeCut();
        this.#line(text.line, text.bytes, lineEndBytes);
      } else if (this.#inHeader || chunk[at] === DASH) {
        this.#line(chunk.subarray(at, lf + 1), lf + 1 - at, lineEndBytes);
      } else {
        this.#pass(lf + 1 - at, lineEndBytes);
      }
      at = lf + 1;
    }
  }

  end(): MimeMessage {
    if (this.#cutBytes > 0) {
      const { line, bytes } = this.#takeCut();
      const delimiter = line[0] === DASH ? this.#delimiterIn(line) : undefined;
      if (delimiter !== undefined) this.#delimit(delimiter, bytes);
      else if (this.#inHeader) this.#keepHeaderLine(line);
      this.#lineStart += bytes;
    }
    while (this.#inHeader) this.#endHeader(this.#lineStart);
    this.#close(0, this.#lineStart, this.#lines);
    if (this.#message === undefined) throw new Error("the root header was never ended");
    return this.#message;
  }

  #keep(chunk: Uint8Array, from: number, to: number): void {
    const limit = this.#inHeader ? this.#headerBudget + DELIMITER_MAX_BYTES : DELIMITER_MAX_BYTES;
    if (this.#cutBytes < limit)
      this.#cut.push(copy(chunk.subarray(from, Math.min(to, from + limit - this.#cutBytes))));
    this.#cutBytes += to - from;
    this.#lastByte = chunk[to - 1] ?? 0;
  }

  #takeCut(): { line: Uint8Array; bytes: number } {
    const taken = { line: concat(this.#cut), bytes: this.#cutBytes };
    this.#cut = [];
    this.#cutBytes = 0;
    return taken;
  }

  /** @param line the line with its line end, its tail missing if it is over-long. @param bytes its true length */
  #line(line: Uint8Array, bytes: number, lineEndBytes: number): void {
    const delimiter = line[0] === DASH ? this.#delimiterIn(line) : undefined;
    if (delimiter !== undefined) this.#delimit(delimiter, bytes);
    const wasHeader = this.#inHeader && delimiter === undefined;
    this.#pass(bytes, lineEndBytes);
    if (!wasHeader) return;
    if (bytes === lineEndBytes) this.#endHeader(this.#lineStart);
    else this.#keepHeaderLine(line);
  }

  #pass(bytes: number, lineEndBytes: number): void {
    this.#lines++;
    this.#lineStart += bytes;
    this.#lastLineEnd = lineEndBytes;
  }

  #keepHeaderLine(line: Uint8Array): void {
    this.#headerBudget -= line.length;
    if (this.#headerBudget >= 0) this.#headerLines.push(copy(line));
  }

  /** The innermost open multipart that this line delimits. */
  #delimiterIn(line: Uint8Array): Delimiter | undefined {
    if (line[1] !== DASH || line.length > DELIMITER_MAX_BYTES) return undefined;
    const text = toLatin1(line).trimEnd();
    for (let level = this.#stack.length - 1; level >= 0; level--) {
      const boundary = this.#stack[level]?.boundary;
      if (boundary === undefined || !text.startsWith(boundary, 2)) continue;
      if (text.length === boundary.length + 2) {
        return this.#partCount < MIME_PARTS_MAX ? { level, isClose: false } : undefined;
      }
      if (text.length === boundary.length + 4 && text.endsWith("--")) return { level, isClose: true };
    }
    return undefined;
  }

  #delimit({ level, isClose }: Delimiter, bytes: number): void {
    // A part that a delimiter ends within its header has no blank line and no body.
    while (this.#inHeader) this.#endHeader(this.#lineStart);
    this.#close(level + 1, this.#lineStart - this.#lastLineEnd, this.#lines - 1);
    const container = this.#stack[level];
    if (container === undefined) throw new Error("a delimiter of no container");
    this.#part = undefined;
    if (isClose) {
      container.boundary = undefined;
      return;
    }
    const part = emptyPart(this.#lineStart + bytes);
    container.part.parts.push(part);
    this.#partCount++;
    this.#part = part;
    this.#inHeader = true;
  }

  /** Reads the header that is complete now, and decides what the body at `bodyStart` is. */
  #endHeader(bodyStart: number): void {
    const part = this.#part;
    if (part === undefined) throw new Error("a header of no part");
    const header = this.#headerLines.length === 0 ? EMPTY : concat(this.#headerLines);
    const fields = parseFields(header);
    const container = this.#stack.at(-1);
    const isPartOfDigest = container?.isDigest === true && this.#embedding === undefined;
    const type = describe(part, header, fields, isPartOfDigest);
    part.header.end = bodyStart;
    part.body = { start: bodyStart, end: bodyStart };
    this.#headerLines = [];
    this.#inHeader = false;
    this.#firstLine = this.#lines;
    if (this.#embedding !== undefined) {
      const envelope = envelopeOf(header, fields);
      const message = { header: part.header, body: part.body, envelope, root: part };
      if (this.#embedding.owner === undefined) this.#message = message;
      else this.#embedding.owner.message = message;
      this.#embedding = undefined;
    }
    this.#open(part, type);
  }

  #open(part: Draft, type: ContentType | undefined): void {
    const boundary = type === undefined ? undefined : boundaryOf(type);
    const isEmbedding = part.type === "message" && (part.subtype === "rfc822" || part.subtype === "global");
    if (part.type !== "multipart" && !isEmbedding) return;
    if (isEmbedding && !IDENTITY_ENCODINGS.has(part.encoding)) {
      // Readers of BODYSTRUCTURE take an envelope for granted in a message (RFC 9051 §9 body-type-msg).
      makeOpaque(part);
      return;
    }
    if (this.#stack.length >= MIME_DEPTH_MAX || (part.type === "multipart" && boundary === undefined)) {
      makeOpaque(part);
      return;
    }
    const isDigest = part.type === "multipart" && part.subtype === "digest";
    this.#stack.push({
      part,
      firstLine: this.#lines,
      boundary: isEmbedding ? undefined : boundary,
      isDigest,
    });
    this.#part = undefined;
    if (!isEmbedding) return;
    this.#part = emptyPart(part.body.start);
    this.#embedding = { owner: part };
    this.#inHeader = true;
  }

  /** Ends the current part and all containers from `level` on at `end`; `lines` line ends lie before it. */
  #close(level: number, end: number, lines: number): void {
    if (this.#part !== undefined) finish(this.#part, this.#firstLine, end, lines);
    this.#part = undefined;
    for (const container of this.#stack.splice(level).toReversed()) {
      const { part } = container;
      finish(part, container.firstLine, end, lines);
      if (part.type !== "multipart" || part.parts.length > 0) continue;
      // IMAP has no form for a multipart without parts.
      const none = emptyPart(part.body.end);
      part.parts.push(none);
    }
  }
}

/** Not `slice`: that of a Buffer shares its memory. */
function copy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function finish(part: Draft, firstLine: number, end: number, lines: number): void {
  part.body.end = Math.max(part.body.start, end);
  part.lines = Math.max(0, lines - firstLine);
}

function emptyPart(start: number): Draft {
  return {
    header: { start, end: start },
    body: { start, end: start },
    type: "text",
    subtype: "plain",
    params: new Map([["charset", "us-ascii"]]),
    id: undefined,
    description: undefined,
    encoding: "7bit",
    md5: undefined,
    disposition: undefined,
    language: [],
    location: undefined,
    lines: 0,
    parts: [],
    message: undefined,
  };
}

/** Shows a container that is not opened as bytes. */
function makeOpaque(part: Draft): void {
  part.type = "application";
  part.subtype = "octet-stream";
}

/** Fills in what the header says. @returns the Content-Type, if there is a readable one */
function describe(
  part: Draft,
  header: Uint8Array,
  fields: readonly Field[],
  isPartOfDigest: boolean,
): ContentType | undefined {
  const text = (name: string): string | undefined => {
    const field = findField(fields, name);
    return (field === undefined ? undefined : fieldText(header, field)) || undefined;
  };
  const typeText = text("content-type");
  const type = parseContentType(typeText ?? (isPartOfDigest ? "message/rfc822" : ""));
  if (type !== undefined) {
    part.type = type.type;
    part.subtype = type.subtype;
    part.params = type.params;
  }
  part.id = text("content-id");
  part.description = text("content-description");
  part.encoding = parseStructured(text("content-transfer-encoding") ?? "")?.value ?? part.encoding;
  part.md5 = text("content-md5");
  part.disposition = parseStructured(text("content-disposition") ?? "");
  part.language = (text("content-language") ?? "").split(",").flatMap((tag) => tag.trim() || []);
  part.location = text("content-location");
  return type;
}
