/**
 * Writes FETCH responses (RFC 9051 §7.5.2). What the index and the prefetch cache know goes out without a pause;
 * bodies go out in slices, and the next slice is read when the peer took the last ones.
 */
import { toLatin1 } from "../../../core/bytes.ts";
import { BODY_SLICE_MAX_BYTES } from "../../../core/limits.ts";
import { selectFields, selectFieldsNot } from "../../../mime/header.ts";
import { type ByteRange, findPart, type MimeMessage, readStructure } from "../../../mime/structure.ts";
import { type Mailbox, type MessageInfo, prefetchFields } from "../../../storage/store.ts";
import { formatFlags } from "../flags.ts";
import { BODY_HIGH_BYTES, OUTPUT_HIGH_BYTES } from "../limits.ts";
import type { Selected } from "../selected.ts";
import type { Session } from "../session.ts";
import { formatInternalDate } from "../text.ts";
import type { FetchItem, PlainItem, SectionItem } from "./items.ts";
import { Narrower } from "./narrow.ts";
import { Sink } from "./sink.ts";
import { type Source, Sources } from "./source.ts";
import { formatEnvelope, formatStructure } from "./structure-text.ts";

/** Messages between two looks at the output queue. */
const BATCH = 128;
const BLANK_LINE = "\r\n";
const NEEDS_STRUCTURE: ReadonlySet<PlainItem> = new Set<PlainItem>(["ENVELOPE", "BODY", "BODYSTRUCTURE"]);

/** Answers `items` of `uids` (ascending); messages that are gone meanwhile are passed over. */
export async function respondFetch(
  session: Session,
  selected: Selected,
  uids: readonly number[],
  items: readonly FetchItem[],
): Promise<void> {
  const responder = new Responder(session, selected, uids, items);
  try {
    await responder.run(uids);
  } finally {
    await responder.close();
  }
}

/** Per message: what has been read of it so far. */
interface Open {
  source: Source | undefined;
  header: Uint8Array | undefined;
  structure: MimeMessage | undefined;
}

class Responder {
  readonly #session: Session;
  readonly #selected: Selected;
  readonly #mailbox: Mailbox;
  readonly #items: readonly FetchItem[];
  readonly #sink: Sink;
  readonly #sources: Sources | undefined;
  readonly #narrowers = new Map<SectionItem, Narrower>();
  readonly #needsStructure: boolean;
  readonly #needsHeader: boolean;
  /** True when nothing but the index and the prefetch cache is needed. */
  readonly #quick: boolean;

  constructor(session: Session, selected: Selected, uids: readonly number[], items: readonly FetchItem[]) {
    this.#session = session;
    this.#selected = selected;
    this.#mailbox = this.#selected.mailbox;
    this.#items = items;
    this.#sink = new Sink(session);
    this.#needsStructure = items.some(needsStructure);
    const needsBody =
      this.#needsStructure || items.some((item) => item.kind === "section" && isWholeBody(item));
    this.#sources = needsBody ? new Sources(this.#mailbox, uids) : undefined;
    this.#quick = !needsBody && items.every((item) => item.kind === "plain" || item.prefetch);
    this.#needsHeader = !this.#quick && items.some((item) => item.kind === "section" && isHeaderOnly(item));
  }

  async run(uids: readonly number[]): Promise<void> {
    for (let i = 0; i < uids.length; i++) {
      const uid = uids[i] ?? 0;
      const waits = this.#quick ? this.#quickOne(uid) : this.#fullOne(uid);
      if (waits !== undefined) await waits;
      if (this.#session.closed) return;
      if (i % BATCH === BATCH - 1 && this.#session.transport.queuedBytes > OUTPUT_HIGH_BYTES) {
        await this.#session.roomToWrite();
      }
    }
    this.#sink.flush();
  }

  async close(): Promise<void> {
    await this.#sources?.close();
  }

  /** Without a promise where the cache has all. */
  #quickOne(uid: number): Promise<void> | undefined {
    const info = this.#mailbox.find(uid);
    if (info === undefined) return undefined;
    const section = this.#items.find((item) => item.kind === "section");
    if (section === undefined) {
      this.#sink.text(`${this.#begin(info)}${this.#plainItems(info)})\r\n`);
      return undefined;
    }
    const header = this.#mailbox.prefetchHeader(uid);
    if (header instanceof Promise) return this.#quickLater(uid, header);
    if (header !== undefined) this.#quickWrite(info, header);
    return undefined;
  }

  async #quickLater(uid: number, pending: Promise<Uint8Array | undefined>): Promise<void> {
    const header = await pending;
    const info = this.#mailbox.find(uid);
    if (header !== undefined && info !== undefined) this.#quickWrite(info, header);
  }

  #quickWrite(info: MessageInfo, header: Uint8Array): void {
    this.#sink.text(this.#begin(info));
    for (const [i, item] of this.#items.entries()) {
      if (i > 0) this.#sink.text(" ");
      if (item.kind === "plain") this.#sink.text(this.#plain(item.name, info, undefined));
      else this.#piece(item, this.#narrower(item).narrow(header), BLANK_LINE);
    }
    this.#sink.text(")\r\n");
  }

  /** Made once per command: nearly always there is one such item. */
  #narrower(item: SectionItem): Narrower {
    let narrower = this.#narrowers.get(item);
    if (narrower === undefined) {
      narrower = new Narrower(prefetchFields, item.fields);
      this.#narrowers.set(item, narrower);
    }
    return narrower;
  }

  async #fullOne(uid: number): Promise<void> {
    const source = await this.#sources?.take();
    try {
      if (this.#sources !== undefined && source === undefined) return;
      const open: Open = { source, header: undefined, structure: undefined };
      if (this.#needsHeader) {
        open.header = await this.#mailbox.header(uid);
        if (open.header === undefined) return;
      }
      if (this.#needsStructure && source !== undefined) {
        open.structure = await readStructure(source.size, async (offset, length) =>
          source.read(offset, length),
        );
      }
      const info = this.#mailbox.find(uid);
      if (info !== undefined && !this.#session.closed) await this.#writeFull(info, open);
    } finally {
      await source?.close();
    }
  }

  async #writeFull(info: MessageInfo, open: Open): Promise<void> {
    this.#sink.text(this.#begin(info));
    for (const [i, item] of this.#items.entries()) {
      if (i > 0) this.#sink.text(" ");
      if (item.kind === "plain") this.#sink.text(this.#plain(item.name, info, open.structure));
      else await this.#section(item, open);
    }
    this.#sink.text(")\r\n");
  }

  #begin({ uid }: MessageInfo): string {
    return `* ${this.#selected.sequenceOf(uid)} FETCH (`;
  }

  #plainItems(info: MessageInfo): string {
    let text = "";
    for (const item of this.#items) {
      if (item.kind === "plain")
        text += `${text === "" ? "" : " "}${this.#plain(item.name, info, undefined)}`;
    }
    return text;
  }

  #plain(name: PlainItem, info: MessageInfo, structure: MimeMessage | undefined): string {
    switch (name) {
      case "UID":
        return `UID ${info.uid}`;
      case "FLAGS":
        return `FLAGS (${formatFlags(info.flags, this.#mailbox.keywords)})`;
      case "INTERNALDATE":
        return `INTERNALDATE ${formatInternalDate(info.internalDateMs)}`;
      case "RFC822.SIZE":
        return `RFC822.SIZE ${info.size}`;
      case "MODSEQ":
        return `MODSEQ (${info.modseq})`;
      case "ENVELOPE":
        return structure === undefined ? "ENVELOPE NIL" : `ENVELOPE ${formatEnvelope(structure.envelope)}`;
      default:
        return structure === undefined
          ? `${name} NIL`
          : `${name} ${formatStructure(structure.root, name !== "BODY")}`;
    }
  }

  async #section(item: SectionItem, { source, header, structure }: Open): Promise<void> {
    if (isHeaderOnly(item)) {
      if (item.part === "header") this.#piece(item, header ?? new Uint8Array(0), "");
      else this.#fields(item, header ?? new Uint8Array(0));
      return;
    }
    if (source === undefined) return;
    if (item.path.length === 0 && item.part === "all")
      return this.#range(item, source, { start: 0, end: source.size });
    const place = structure === undefined ? undefined : findSection(structure, item);
    if (place === undefined) return this.#sink.text(`${item.label} NIL`);
    if (item.part !== "fields" && item.part !== "fieldsNot") return this.#range(item, source, place);
    const block = await readAll(source, place);
    this.#fields(item, block);
  }

  /** Header fields, and the blank line that ends them (RFC 9051 §6.4.5.1). */
  #fields(item: SectionItem, block: Uint8Array): void {
    const pick = item.part === "fieldsNot" ? selectFieldsNot : selectFields;
    this.#piece(item, pick(block, item.fields), BLANK_LINE);
  }

  /** `label {n}` and the bytes, cut to the partial. */
  #piece(item: SectionItem, bytes: Uint8Array, tail: string): void {
    const { partial } = item;
    if (partial !== undefined) {
      const whole = toLatin1(bytes) + tail;
      const cut = whole.slice(partial.offset, partial.offset + partial.length);
      return this.#sink.text(`${item.label} {${cut.length}}\r\n${cut}`);
    }
    this.#sink.text(`${item.label} {${bytes.length + tail.length}}\r\n`);
    this.#sink.bytes(bytes);
    this.#sink.text(tail);
  }

  async #range(item: SectionItem, source: Source, whole: ByteRange): Promise<void> {
    const start = Math.min(whole.end, whole.start + (item.partial?.offset ?? 0));
    const end = Math.min(whole.end, start + (item.partial?.length ?? Number.POSITIVE_INFINITY));
    this.#sink.text(`${item.label} {${end - start}}\r\n`);
    for (let at = start; at < end && !this.#session.closed; ) {
      const wanted = Math.min(BODY_SLICE_MAX_BYTES, end - at);
      const slice = await readSlice(source, at, wanted);
      this.#sink.bytes(slice);
      at += slice.length;
      if (at < end) await this.#session.roomToWrite(BODY_HIGH_BYTES);
    }
  }
}

function needsStructure(item: FetchItem): boolean {
  if (item.kind === "plain") return NEEDS_STRUCTURE.has(item.name);
  return item.path.length > 0 || item.part === "text";
}

/** Sections of the message itself that its header block answers. */
function isHeaderOnly(item: SectionItem): boolean {
  if (item.path.length > 0) return false;
  return item.part === "header" || item.part === "fields" || item.part === "fieldsNot";
}

function isWholeBody(item: SectionItem): boolean {
  return item.path.length === 0 && item.part === "all";
}

/** The bytes that a section names; undefined when the message has no such part. */
function findSection(message: MimeMessage, { path, part }: SectionItem): ByteRange | undefined {
  if (path.length === 0) return part === "text" ? message.body : message.header;
  const found = findPart(message, path);
  if (found === undefined) return undefined;
  if (part === "all") return found.body;
  if (part === "mime") return found.header;
  // RFC 9051 §6.4.5.1: HEADER and TEXT of a part are those of the message in it.
  return part === "text" ? found.message?.body : found.message?.header;
}

/** The length is announced already: with less than that the client could not find its way, so any trouble ends the session. */
async function readSlice(source: Source, at: number, wanted: number): Promise<Uint8Array> {
  let slice: Uint8Array;
  try {
    slice = await source.read(at, wanted);
  } catch (cause) {
    throw new Error("a stored message could not be read", { cause });
  }
  if (slice.length === 0) throw new Error("a stored message is shorter than its size says");
  return slice;
}

async function readAll(source: Source, { start, end }: ByteRange): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - start);
  for (let at = start; at < end; ) {
    const slice = await source.read(at, Math.min(BODY_SLICE_MAX_BYTES, end - at));
    if (slice.length === 0) break;
    bytes.set(slice, at - start);
    at += slice.length;
  }
  return bytes;
}
