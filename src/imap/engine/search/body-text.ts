/**
 * Whether the texts of a stored message hold a string, read as its reader sees them: transfer encodings, charsets and
 * encoded-words undone (RFC 9051 §6.4.4). Each byte is read twice at most, in slices; attachments in base64 have no text.
 */
import { BODY_SLICE_MAX_BYTES } from "../../../core/limits.ts";
import { decodeEncodedWords, textDecoder } from "../../../mime/encoded-words.ts";
import { fieldText, parseFields } from "../../../mime/header.ts";
import { type ByteRange, type MimePart, readStructure } from "../../../mime/structure.ts";
import { transferDecoder } from "../../../mime/transfer.ts";
import type { StoredBody } from "../../../storage/store.ts";

/** Of one header block; what follows is not searched. */
const HEADER_MAX_BYTES = BODY_SLICE_MAX_BYTES;

/** Header values of a block as text, one a line, lower case. */
function headerText(header: Uint8Array): string {
  return parseFields(header)
    .map((field) => `${field.name}: ${decodeEncodedWords(fieldText(header, field))}`)
    .join("\n")
    .toLowerCase();
}

export class BodyText {
  readonly #body: StoredBody;
  readonly #wanted: string;

  /** @param wanted lower case, not empty */
  constructor(body: StoredBody, wanted: string) {
    this.#body = body;
    this.#wanted = wanted;
  }

  /** @param withHeader TEXT looks into the message's own header too, BODY does not */
  async holds(withHeader: boolean): Promise<boolean> {
    const { header, root } = await readStructure(this.#body.size, (offset, length) =>
      this.#body.read(offset, length),
    );
    if (withHeader && (await this.#inHeader(header))) return true;
    return this.#inContent(root);
  }

  /** What a part holds, its own header left out. */
  async #inContent(part: MimePart): Promise<boolean> {
    if (part.message !== undefined) {
      return (await this.#inHeader(part.message.header)) || (await this.#inContent(part.message.root));
    }
    for (const inner of part.parts) {
      if ((await this.#inHeader(inner.header)) || (await this.#inContent(inner))) return true;
    }
    return part.parts.length === 0 && this.#inLeaf(part);
  }

  async #inHeader({ start, end }: ByteRange): Promise<boolean> {
    if (end === start) return false;
    const length = Math.min(end - start, HEADER_MAX_BYTES);
    return headerText(await this.#body.read(start, length)).includes(this.#wanted);
  }

  /** A leaf's text, slice by slice; what may be the begin of a find is looked at again with the next slice. */
  async #inLeaf({ type, encoding, params, body }: MimePart): Promise<boolean> {
    const transfer = transferDecoder(encoding);
    if (transfer !== undefined && type !== "text") return false;
    const charset = (type === "text" && textDecoder(params.get("charset") ?? "utf-8")) || new TextDecoder();
    let before = "";
    for (let at = body.start; at < body.end; ) {
      const slice = await this.#body.read(at, Math.min(BODY_SLICE_MAX_BYTES, body.end - at));
      if (slice.length === 0) return false;
      at += slice.length;
      const text = before + charset.decode(transfer?.write(slice) ?? slice, { stream: true }).toLowerCase();
      if (text.includes(this.#wanted)) return true;
      before = this.#wanted.length < 2 ? "" : text.slice(1 - this.#wanted.length);
    }
    const rest = charset.decode(transfer?.end()).toLowerCase();
    return (before + rest).includes(this.#wanted);
  }
}
