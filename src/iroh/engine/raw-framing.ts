/** The legacy family's frames on a bare stream: `type u8 || length u32 || body`, big-endian. */
import { Frame, Gathering, HEADROOM_BYTES } from "./frame.ts";
import type { Framing, FrameSink } from "./framing.ts";
import { FRAME_MAX_BYTES } from "./limits.ts";

const HEADER_BYTES = 5;

export class RawFraming implements Framing {
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  /** Of a frame that nobody wants. */
  #skip = 0;
  readonly #gathering = new Gathering(HEADROOM_BYTES);

  push(bytes: Uint8Array, sink: FrameSink): string | undefined {
    let at = 0;
    for (;;) {
      const skipped = Math.min(this.#skip, bytes.length - at);
      this.#skip -= skipped;
      at += skipped;
      if (this.#headerBytes < HEADER_BYTES) {
        if (at >= bytes.length) return undefined;
        this.#header[this.#headerBytes++] = bytes[at++] ?? 0;
        if (this.#headerBytes < HEADER_BYTES) continue;
        const fault = this.#begin(sink);
        if (fault !== undefined) return fault;
        // The frame is passed over.
        if (this.#headerBytes === 0) continue;
      }
      at = this.#gather(bytes, at);
      if (this.#gathering.missing > 0) return undefined;
      this.#headerBytes = 0;
      if (!sink.frame(new Frame(this.#header[0] ?? 0, this.#gathering.take()))) return undefined;
    }
  }

  #begin(sink: FrameSink): string | undefined {
    const [type = 0, a = 0, b = 0, c = 0, d = 0] = this.#header;
    const length = a * 2 ** 24 + (b << 16) + (c << 8) + d;
    const verdict = length > FRAME_MAX_BYTES ? "refuse" : sink.judge(type, length);
    if (verdict === "refuse") return "frame not expected";
    if (verdict === "take") this.#gathering.want(length);
    else {
      this.#skip = length;
      this.#headerBytes = 0;
    }
    return undefined;
  }

  #gather(bytes: Uint8Array, at: number): number {
    if (at >= bytes.length || this.#gathering.missing === 0) return at;
    return at + this.#gathering.add(bytes, at);
  }

  seal(frame: Frame): Uint8Array {
    const { space, bodyAt, bodyBytes } = frame;
    space[bodyAt - 5] = frame.type;
    space[bodyAt - 4] = bodyBytes >>> 24;
    space[bodyAt - 3] = bodyBytes >>> 16;
    space[bodyAt - 2] = bodyBytes >>> 8;
    space[bodyAt - 1] = bodyBytes;
    return space.subarray(bodyAt - HEADER_BYTES);
  }

  farewell(): undefined {
    // The stream has no word for goodbye: the end of the connection is it.
  }
}
