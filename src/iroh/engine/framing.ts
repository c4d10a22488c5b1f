/** How frames travel: on the bare stream, or as the messages of a WebSocket. */
import type { Frame } from "./frame.ts";

/** Whom a framing gives what it read. */
export interface FrameSink {
  /**
   * Asked when type and length are known. `skip`: the frame is passed over unread; `refuse`: the peer broke the protocol.
   * @param bodyBytes without the type
   */
  judge(type: number, bodyBytes: number): "take" | "skip" | "refuse";
  /** A whole frame, which the sink owns. @returns false when no more is wanted */
  frame(frame: Frame): boolean;
  /** Largest message that may come now, type included. */
  readonly messageMaxBytes: number;
  /** Bytes that the transport itself answers with. */
  reply(bytes: Uint8Array): void;
  /** The peer ended the transport in its own words. */
  ended(): void;
}

export interface Framing {
  /** Takes any slice of the stream; `bytes` is borrowed. @returns what the peer did wrong, if it did */
  push(bytes: Uint8Array, sink: FrameSink): string | undefined;
  /** Writes the header into the free room before the body. @returns the frame as it is sent */
  seal(frame: Frame): Uint8Array;
  /** What to say before hanging up. */
  farewell(why: "goingAway" | "protocolError"): Uint8Array | undefined;
}
