/** Line ends of messages that came over HTTP, made those of RFC 5322 §2.1. */
import { CR, CRLF, LF } from "../core/bytes.ts";

/** Messages come with LF or CRLF; the door wants CRLF. A lone CR stays what it is. Any cuts. */
export class LineEnds {
  readonly #sink: (bytes: Uint8Array) => void;
  #last = 0;

  /** @param sink gets the bytes, borrowed for the call */
  constructor(sink: (bytes: Uint8Array) => void) {
    this.#sink = sink;
  }

  write(bytes: Uint8Array): void {
    const bare = this.#bareLineFeeds(bytes);
    this.#last = bytes.at(-1) ?? this.#last;
    if (bare.length === 0) {
      this.#sink(bytes);
      return;
    }
    const out = new Uint8Array(bytes.length + bare.length);
    let from = 0;
    let at = 0;
    for (const lf of bare) {
      out.set(bytes.subarray(from, lf), at);
      at += lf - from;
      out[at++] = CR;
      from = lf;
    }
    out.set(bytes.subarray(from), at);
    this.#sink(out);
  }

  #bareLineFeeds(bytes: Uint8Array): number[] {
    const bare: number[] = [];
    for (let lf = bytes.indexOf(LF); lf >= 0; lf = bytes.indexOf(LF, lf + 1)) {
      if ((lf === 0 ? this.#last : bytes[lf - 1]) !== CR) bare.push(lf);
    }
    return bare;
  }

  /** A message ends with a line end on port 25; those who write no SMTP may leave it out. */
  end(): void {
    if (this.#last !== LF) this.#sink(CRLF);
  }
}
