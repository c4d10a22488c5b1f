/**
 * One body part of a message that the gate may let through: its header under the gate's rules, then its body.
 * A part's header is shown by many programs, so it holds only the fields that PGP/MIME writers send, each once.
 */
import { concat, toLatin1 } from "../core/bytes.ts";
import { type Field, fieldText, findField, HeaderEnd, isTidy, parseFields } from "../mime/header.ts";
import { type ContentType, parseContentType, parseStructured } from "../mime/structured.ts";
import { PART_HEADER_MAX_BYTES } from "./limits.ts";

const ALLOWED_FIELDS = new Set([
  "content-type",
  "content-transfer-encoding",
  "content-description",
  "content-disposition",
  "content-id",
  "mime-version",
]);

/** RFC 5322 §3.6.4, as programs make them up: no room for text. */
const MESSAGE_ID = /^<[A-Za-z0-9.$_-]{1,80}@[A-Za-z0-9.-]{1,80}>$/;

export interface PartFacts {
  type: ContentType;
  /** Lower case; `7bit` by default (RFC 2045 §6.1). */
  encoding: string;
}

/** Collects a part's header, then hands on its body. */
export class PartReader {
  readonly #end = new HeaderEnd();
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #facts: PartFacts | undefined;
  #isBroken = false;
  readonly #mayHaveId: boolean;

  /** @param mayHaveId whether the part may have a Message-ID of its own */
  constructor(mayHaveId = false) {
    this.#mayHaveId = mayHaveId;
  }

  /** Known once the header is complete. */
  get facts(): PartFacts | undefined {
    return this.#facts;
  }

  /** True when the header breaks the rules; nothing more is read then. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** @returns the part of `chunk` that belongs to the body, undefined while there is none. Borrowed. */
  write(chunk: Uint8Array): Uint8Array | undefined {
    if (this.#isBroken) return undefined;
    if (this.#facts !== undefined) return chunk;
    const end = this.#end.find(chunk);
    const taken = end < 0 ? chunk : chunk.subarray(0, end);
    this.#bytes += taken.length;
    if (this.#bytes > PART_HEADER_MAX_BYTES) {
      this.#isBroken = true;
      return undefined;
    }
    // `slice` of a Buffer would not copy.
    this.#pieces.push(new Uint8Array(taken));
    if (end < 0) return undefined;
    this.#facts = readHeader(concat(this.#pieces), this.#mayHaveId);
    this.#pieces = [];
    this.#isBroken = this.#facts === undefined;
    return end < chunk.length && !this.#isBroken ? chunk.subarray(end) : undefined;
  }
}

/** @returns undefined when the header breaks the rules */
function readHeader(header: Uint8Array, mayHaveId: boolean): PartFacts | undefined {
  const all = parseFields(header);
  const isId = (field: Field) => field.name === "message-id" && MESSAGE_ID.test(fieldText(header, field));
  const fields = mayHaveId ? all.filter((field) => !isId(field)) : all;
  if (all.length > fields.length + 1) return undefined;
  if (!isTidy(header) || !isPlainAscii(header)) return undefined;
  if (!fields.every((field) => ALLOWED_FIELDS.has(field.name)) || hasTwice(fields)) return undefined;
  const text = (name: string): string | undefined => {
    const field = findField(fields, name);
    return field === undefined ? undefined : fieldText(header, field);
  };
  const type = parseContentType(text("content-type") ?? "");
  const encoding = parseStructured(text("content-transfer-encoding") ?? "7bit");
  if (type === undefined || !type.wellFormed || encoding === undefined) return undefined;
  if (!encoding.wellFormed || encoding.params.size > 0) return undefined;
  return { type, encoding: encoding.value };
}

function hasTwice(fields: readonly Field[]): boolean {
  return new Set(fields.map((field) => field.name)).size !== fields.length;
}

function isPlainAscii(header: Uint8Array): boolean {
  return /^[\r\n\t\x20-\x7e]*$/.test(toLatin1(header));
}

/** The body of a part that must be one known line, with white space around it. */
export class ControlBody {
  readonly #maxBytes: number;
  #text = "";
  #isTooLong = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  write(bytes: Uint8Array): void {
    if (this.#text.length + bytes.length > this.#maxBytes) this.#isTooLong = true;
    else this.#text += toLatin1(bytes);
  }

  get isTooLong(): boolean {
    return this.#isTooLong;
  }

  /** The text without outer white space; undefined when it is too long or has a bare CR or LF around it. */
  get text(): string | undefined {
    if (this.#isTooLong || /\r(?!\n)|(?<!\r)\n/.test(this.#text)) return undefined;
    return this.#text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
  }
}
