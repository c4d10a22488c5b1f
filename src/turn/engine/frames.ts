/**
 * STUN messages and ChannelData out of a TCP stream (RFC 8489 §6.2.2, RFC 8656 §12.5): both tell their length in the
 * first four bytes, and both fill up to a multiple of four. At most one frame is held, in one block.
 */
import { EMPTY } from "../../core/bytes.ts";
import { HEADER_BYTES, looksLikeStun, readU16 } from "./stun.ts";

const LENGTH_BYTES = 4;

export class FrameReader {
  /** A frame that is not whole yet: first room for its length, then for all of it. */
  #held: Uint8Array = EMPTY;
  #heldBytes = 0;

  /**
   * Takes any slice of the stream.
   * @param bytes borrowed; so are the frames
   * @param frameMaxBytes a frame that announces more is a fault
   * @returns whole frames without their filling; undefined when the stream is neither STUN nor ChannelData
   */
  push(bytes: Uint8Array, frameMaxBytes: number): Uint8Array[] | undefined {
    const frames: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      if (this.#heldBytes === 0 && bytes.length - at >= LENGTH_BYTES) {
        const size = frameBytes(bytes, at);
        if (size === undefined || size > frameMaxBytes) return undefined;
        if (bytes.length - at >= filled(size)) {
          frames.push(bytes.subarray(at, at + size));
          at += filled(size);
          continue;
        }
      }
      at = this.#hold(bytes, at);
      if (this.#heldBytes < this.#held.length) continue;
      const size = frameBytes(this.#held, 0);
      if (size === undefined || size > frameMaxBytes) return undefined;
      if (filled(size) > this.#held.length) this.#widen(filled(size));
      else {
        frames.push(this.#held.subarray(0, size));
        this.#heldBytes = 0;
      }
    }
    return frames;
  }

  /** Copies as much as the frame lacks. @returns where the rest begins */
  #hold(bytes: Uint8Array, at: number): number {
    if (this.#heldBytes === 0) this.#held = new Uint8Array(LENGTH_BYTES);
    const end = Math.min(bytes.length, at + this.#held.length - this.#heldBytes);
    this.#held.set(bytes.subarray(at, end), this.#heldBytes);
    this.#heldBytes += end - at;
    return end;
  }

  #widen(bytes: number): void {
    const wider = new Uint8Array(bytes);
    wider.set(this.#held);
    this.#held = wider;
  }
}

function filled(bytes: number): number {
  return (bytes + 3) & ~3;
}

function frameBytes(bytes: Uint8Array, at: number): number | undefined {
  const first = bytes[at] ?? 0;
  const length = readU16(bytes, at + 2);
  if (looksLikeStun(first)) return length % 4 === 0 ? HEADER_BYTES + length : undefined;
  return first < 0x80 ? LENGTH_BYTES + length : undefined;
}
