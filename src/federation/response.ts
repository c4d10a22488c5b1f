/** HTTP/1.1 responses (RFC 9112) as a client of small answers needs them: whole, in memory, capped by the caller. Pure. */
import { fromLatin1, lowerAscii, toLatin1, toUtf8 } from "../core/bytes.ts";

export interface HttpResponse {
  status: number;
  contentType: string;
  /** UTF-8; without its transfer coding. */
  body: string;
  /** The connection can carry another request. */
  isReusable: boolean;
}

const ASCII = /^[\r\n\t -~]*$/;

export type ParsedResponse =
  | { kind: "more" }
  | { kind: "garbage" }
  | { kind: "whole"; response: HttpResponse };

/**
 * Reads what came so far.
 * @param hasEnded the peer closed its side: a body of unknown length is complete, anything else is cut
 */
export function parseResponse(bytes: Uint8Array, hasEnded: boolean): ParsedResponse {
  const text = toLatin1(bytes);
  if (!"HTTP/1.".startsWith(text.slice(0, 7))) return { kind: "garbage" };
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return hasEnded ? { kind: "garbage" } : { kind: "more" };
  const [statusLine = "", ...lines] = text.slice(0, headEnd).split("\r\n");
  const status = Number(/^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/.exec(statusLine)?.[1] ?? 0);
  if (status === 0) return { kind: "garbage" };
  const rest = headEnd + 4;
  // RFC 9110 §15.2: interim answers, the real one follows.
  if (status < 200) return parseResponse(bytes.subarray(rest), hasEnded);
  const fields = readFields(lines);
  const keeps = statusLine.startsWith("HTTP/1.1") && lowerAscii(fields.get("connection") ?? "") !== "close";
  const body = readBody(fields, text.slice(rest), status, hasEnded);
  if (body === "more" || body === "garbage") return { kind: body };
  const contentType = fields.get("content-type") ?? "";
  return {
    kind: "whole",
    response: {
      status,
      contentType,
      body: ASCII.test(body.text) ? body.text : toUtf8(fromLatin1(body.text)),
      isReusable: keeps && !hasEnded && body.length === text.length - rest,
    },
  };
}

/** Those that count here; of one that comes twice the last. */
function readFields(lines: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = lowerAscii(line.slice(0, Math.max(0, colon)));
    if (WANTED.has(name)) fields.set(name, line.slice(colon + 1).trim());
  }
  return fields;
}

const WANTED = new Set(["connection", "content-length", "content-type", "transfer-encoding"]);

type Body = { text: string; length: number } | "more" | "garbage";

/** RFC 9112 §6.3. `length` is what the body took of `text`. */
function readBody(fields: Map<string, string>, text: string, status: number, hasEnded: boolean): Body {
  if (status === 204 || status === 304) return { text: "", length: 0 };
  const coding = fields.get("transfer-encoding");
  if (coding !== undefined) return lowerAscii(coding) === "chunked" ? readChunks(text, hasEnded) : "garbage";
  const announced = fields.get("content-length");
  if (announced === undefined) return hasEnded ? { text, length: Number.NaN } : "more";
  if (!/^\d{1,9}$/.test(announced)) return "garbage";
  const length = Number(announced);
  if (text.length >= length) return { text: text.slice(0, length), length };
  return hasEnded ? "garbage" : "more";
}

/** RFC 9112 §7.1. */
function readChunks(text: string, hasEnded: boolean): Body {
  const parts: string[] = [];
  const cut = hasEnded ? "garbage" : "more";
  for (let at = 0; ; ) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return cut;
    const size = /^([0-9a-fA-F]{1,6})[ \t]*(?:;.*)?$/.exec(text.slice(at, lineEnd))?.[1];
    if (size === undefined) return "garbage";
    const length = Number.parseInt(size, 16);
    at = lineEnd + 2;
    if (length === 0) {
      // Trailer fields, if any, end with an empty line.
      const end = text.startsWith("\r\n", at) ? at + 2 : text.indexOf("\r\n\r\n", at) + 4;
      return end < at + 2 ? cut : { text: parts.join(""), length: end };
    }
    if (text.length < at + length + 2) return cut;
    parts.push(text.slice(at, at + length));
    at += length + 2;
  }
}
