/**
 * The head of an HTTP/1 request as the front door needs it: enough to route, never to answer.
 * RFC 9112 §3 (request line), §5 (field syntax).
 */
import { toLatin1 } from "../core/bytes.ts";

/** A method is a token (RFC 9110 §5.6.2); the target has no space. */
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP\/1\.([01])$/;
const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i;

export interface RequestHead {
  readonly method: string;
  /** As sent, but an absolute-form target (RFC 9112 §3.2.2) is reduced to origin form. */
  readonly target: string;
  /** The target without its query. */
  readonly path: string;
  readonly minorVersion: 0 | 1;
  /** Names in lower case, in the order sent; Latin-1. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

export interface ParsedHead {
  readonly head: RequestHead;
  /** The head's bytes with the target in origin form, up to and with the empty line. */
  readonly bytes: Uint8Array;
}

/** Index behind the empty line that ends the head, or -1. @param from where a search before left off */
export function headEnd(bytes: Uint8Array, from = 0): number {
  let at = from;
  for (;;) {
    at = bytes.indexOf(10, at);
    if (at < 0) return -1;
    if (bytes[at + 1] === 13 && bytes[at + 2] === 10 && bytes[at - 1] === 13) return at + 3;
    at++;
  }
}

/** Parses a whole head. @returns undefined when it is no HTTP/1 request */
export function parseHead(bytes: Uint8Array): ParsedHead | undefined {
  const text = toLatin1(bytes);
  const [first = "", ...lines] = text.slice(0, -4).split("\r\n");
  const [, method, target, minor] = REQUEST_LINE.exec(first) ?? [];
  if (method === undefined || target === undefined) return undefined;
  const fields: (readonly [string, string])[] = [];
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) return undefined;
    fields.push([line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]);
  }
  const origin = originForm(target);
  const query = origin.indexOf("?");
  const head: RequestHead = {
    method,
    target: origin,
    path: query < 0 ? origin : origin.slice(0, query),
    minorVersion: minor === "0" ? 0 : 1,
    fields,
  };
  if (origin === target) return { head, bytes };
  const line = `${method} ${origin} HTTP/1.${head.minorVersion}`;
  return { head, bytes: Buffer.from(line + text.slice(first.length), "latin1") };
}

/** The first field of that name. @param name in lower case */
export function fieldOf(head: RequestHead, name: string): string | undefined {
  return head.fields.find(([known]) => known === name)?.[1];
}

function originForm(target: string): string {
  const [prefix] = ABSOLUTE_FORM.exec(target) ?? [];
  if (prefix === undefined) return target;
  const rest = target.slice(prefix.length);
  return rest.startsWith("/") ? rest : `/${rest}`;
}
