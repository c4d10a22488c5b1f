/** One way in which we answer otherwise than Dovecot. */
import type { CorpusMessage } from "./corpus.ts";
import type { Divergence } from "./play.ts";

export interface Difference {
  /** What differs, as a heading. */
  title: string;
  /** The place that allows or asks for our way. */
  rfc: string;
  reason: string;
  explains(divergence: Divergence, message: CorpusMessage | undefined): boolean;
}

/** True for fields that are this FETCH item of any message. */
export const isItem = (pattern: RegExp) => (divergence: Divergence) =>
  pattern.test(/^fetch \d+ (.*)$/.exec(divergence.field)?.[1] ?? "");
