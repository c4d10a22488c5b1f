/**
 * The two message bodies that the gate knows: PGP/MIME (RFC 3156 §4) and the Secure-Join request in clear.
 * Both: white space around the parts, no further part, the first fault wins.
 */
import { QuotedPrintable } from "../mime/transfer.ts";
import { PayloadReader } from "./armor.ts";
import { Base64Lines, makeScratch } from "./base64.ts";
import type { GateFlaw } from "./facts.ts";
import { CONTROL_BODY_MAX_BYTES, PADDING_MAX_BYTES } from "./limits.ts";
import { MultipartSplitter } from "./multipart.ts";
import { ControlBody, PartReader } from "./part.ts";

const EQUALS = 61;
/** Encodings that leave the bytes as they are (RFC 2045 §6.2). */
const IDENTITY_ENCODINGS = new Set(["7bit", "8bit", "binary"]);
/** What Thunderbird, Enigmail and GPGMail put before the parts: constant, so it carries nothing. */
const KNOWN_PREAMBLE = /^This is an OpenPGP\/MIME encrypted message \(RFC (2440|4880|9580) and 3156\)$/;

export interface BodyVerdict {
  /** Wrong in any case. */
  flaw: GateFlaw | undefined;
  /** What only peers' software may send. */
  receivedOnly: GateFlaw | undefined;
}

export interface BodyReader {
  /** `bytes` are borrowed. */
  write(bytes: Uint8Array): void;
  end(): BodyVerdict;
}

/** What becomes of one part: `write` takes body bytes, `end` judges. */
interface PartJudge {
  write(bytes: Uint8Array, reader: PartReader): void;
  end(reader: PartReader): GateFlaw | undefined;
  readonly flaw: GateFlaw | undefined;
  /** Whether the part may have a Message-ID. */
  readonly mayHaveId?: true;
}

/** Exactly these parts, in order, with white space around them. */
class PartSequence implements BodyReader {
  readonly #splitter: MultipartSplitter;
  readonly #judges: readonly PartJudge[];
  readonly #preamble = new ControlBody(PADDING_MAX_BYTES);
  readonly #epilogue = new ControlBody(PADDING_MAX_BYTES);
  /** -1 in the preamble, the number of parts in the epilogue. */
  #index = -1;
  #reader = new PartReader();
  #flaw: GateFlaw | undefined;

  constructor(boundary: string, judges: readonly PartJudge[]) {
    this.#judges = judges;
    this.#splitter = new MultipartSplitter(boundary, {
      data: (bytes) => this.#data(bytes),
      delimiter: (isClose) => this.#delimiter(isClose),
      broken: () => this.#fail("badMime"),
    });
  }

  write(bytes: Uint8Array): void {
    if (this.#flaw === undefined) this.#splitter.write(bytes);
  }

  end(): BodyVerdict {
    let receivedOnly: GateFlaw | undefined;
    if (this.#flaw === undefined && !this.#splitter.end()) this.#fail("truncated");
    if (this.#epilogue.text !== "") this.#fail("cleartextAround");
    const preamble = this.#preamble.text;
    if (preamble !== "") {
      if (preamble !== undefined && KNOWN_PREAMBLE.test(preamble)) receivedOnly = "cleartextAround";
      else this.#fail("cleartextAround");
    }
    return { flaw: this.#flaw, receivedOnly };
  }

  #fail(flaw: GateFlaw | undefined): void {
    this.#flaw ??= flaw;
  }

  #data(bytes: Uint8Array): void {
    if (this.#flaw !== undefined) return;
    if (this.#index < 0) {
      this.#preamble.write(bytes);
      if (this.#preamble.isTooLong) this.#fail("cleartextAround");
      return;
    }
    const judge = this.#judges[this.#index];
    if (judge === undefined) {
      this.#epilogue.write(bytes);
      return;
    }
    const body = this.#reader.write(bytes);
    if (body !== undefined) judge.write(body, this.#reader);
    this.#fail(judge.flaw);
  }

  #delimiter(isClose: boolean): void {
    const judge = this.#judges[this.#index];
    if (judge !== undefined) this.#fail(judge.end(this.#reader));
    this.#index++;
    this.#reader = new PartReader(this.#judges[this.#index]?.mayHaveId);
    if (isClose !== (this.#index === this.#judges.length)) this.#fail("wrongPartCount");
  }
}

/** RFC 3156 §4: the control part. */
class VersionPart implements PartJudge {
  readonly flaw = undefined;
  readonly #body = new ControlBody(CONTROL_BODY_MAX_BYTES);

  write(bytes: Uint8Array): void {
    this.#body.write(bytes);
  }

  end({ facts }: PartReader): GateFlaw | undefined {
    if (facts === undefined) return "badVersionPart";
    const { type, subtype } = facts.type;
    const isRight = type === "application" && subtype === "pgp-encrypted" && leavesText(facts.encoding);
    return isRight && this.#body.text === "Version: 1" ? undefined : "badVersionPart";
  }
}

/** One for all: the encoded armor within is decoded into its own scratch, and used up before the call returns. */
const transferScratch = makeScratch();

/** RFC 3156 §4: the data part. */
class DataPart implements PartJudge {
  readonly payload = new PayloadReader();
  #flaw: GateFlaw | undefined;
  #base64: Base64Lines | undefined;
  #quoted: QuotedPrintable | undefined;
  /** Set once the padding of the transfer encoding came. */
  #tail: ControlBody | undefined;

  get flaw(): GateFlaw | undefined {
    // Armor within a transfer encoding is judged at the end, as packets are within armor.
    return this.#flaw ?? (this.#base64 === undefined ? this.payload.flaw : undefined);
  }

  write(bytes: Uint8Array, { facts }: PartReader): void {
    if (facts === undefined) return;
    if (facts.type.type !== "application" || facts.type.subtype !== "octet-stream") {
      this.#flaw = "badDataPart";
    } else if (IDENTITY_ENCODINGS.has(facts.encoding)) {
      this.payload.write(bytes);
    } else if (facts.encoding === "base64") {
      this.#decode(bytes);
    } else if (facts.encoding === "quoted-printable") {
      this.#unquote(bytes);
    } else {
      this.#flaw = "badDataPart";
    }
  }

  end({ facts }: PartReader): GateFlaw | undefined {
    if (this.#flaw !== undefined) return this.#flaw;
    if (facts === undefined) return "badDataPart";
    if (this.#quoted !== undefined) {
      const rest = this.#quoted.end();
      if (rest.length > 0) this.payload.write(rest);
      if (this.#quoted.malformed) return "badDataPart";
    }
    if (this.#tail !== undefined) {
      const padding = this.#tail.text;
      if (padding === undefined || !/^={1,2}$/.test(padding)) return "badDataPart";
      if (this.#base64?.finish(padding.length) !== true) return "badDataPart";
    } else if (this.#base64?.finish(0) === false) {
      return "badDataPart";
    }
    return this.payload.end();
  }

  /** RFC 2045 §6.7. */
  #unquote(bytes: Uint8Array): void {
    this.#quoted ??= new QuotedPrintable();
    const decoded = this.#quoted.write(bytes);
    if (decoded.length > 0) this.payload.write(decoded);
    if (this.#quoted.malformed) this.#flaw = "badDataPart";
  }

  /** RFC 2045 §6.8. */
  #decode(bytes: Uint8Array): void {
    this.#base64 ??= new Base64Lines(transferScratch, (length) =>
      this.payload.write(transferScratch.bytes.subarray(0, length)),
    );
    const equals = this.#tail === undefined ? bytes.indexOf(EQUALS) : 0;
    const end = equals < 0 ? bytes.length : equals;
    if (end > 0 && !this.#base64.write(bytes.subarray(0, end))) this.#flaw = "badDataPart";
    if (equals < 0) return;
    this.#tail ??= new ControlBody(PADDING_MAX_BYTES);
    this.#tail.write(bytes.subarray(end));
  }
}

/** The request that starts a Secure-Join without keys: what chatmail relays let through, to the letter. */
class RequestPart implements PartJudge {
  readonly flaw = undefined;
  /** Delta Chat's core puts the message's own there. */
  readonly mayHaveId = true;
  readonly #body = new ControlBody(CONTROL_BODY_MAX_BYTES);

  write(bytes: Uint8Array): void {
    this.#body.write(bytes);
  }

  end({ facts }: PartReader): GateFlaw | undefined {
    if (facts === undefined) return "badMime";
    const isText = facts.type.type === "text" && facts.type.subtype === "plain" && leavesText(facts.encoding);
    const isRequest = /^secure-join: v[cg]-request$/i.test(this.#body.text ?? "");
    return isText && isRequest ? undefined : "notMultipartEncrypted";
  }
}

/** The known lines hold nothing that quoted-printable would change. */
function leavesText(encoding: string): boolean {
  return IDENTITY_ENCODINGS.has(encoding) || encoding === "quoted-printable";
}

/** Judges the body of a `multipart/encrypted` message. */
export function encryptedBody(boundary: string): BodyReader {
  const data = new DataPart();
  const parts = new PartSequence(boundary, [new VersionPart(), data]);
  return {
    write: (bytes) => parts.write(bytes),
    end() {
      const { flaw, receivedOnly } = parts.end();
      return { flaw, receivedOnly: data.payload.hasVersionHeader ? "armorHeader" : receivedOnly };
    },
  };
}

/** Judges the body of a `multipart/mixed` message that has a Secure-Join field. */
export function secureJoinBody(boundary: string): BodyReader {
  return new PartSequence(boundary, [new RequestPart()]);
}
