/** Message sets as command arguments. */
import type { Args } from "./args.ts";
import { parseSequenceSet, type SequenceSet } from "./sequence-set.ts";

/** A blank and a sequence set; whether it names UIDs is for the command to know. */
export function readSet(args: Args): SequenceSet {
  args.space();
  return readMessageSet(args);
}

/** A sequence set, or `$`. */
export function readMessageSet(args: Args): SequenceSet {
  const set = parseSequenceSet(args.sequence());
  if (set === undefined) args.fail("bad message set");
  return set ?? [];
}

/** RFC 9051 §2.3.1.2: a sequence number above the last one is the client's mistake. */
export const NO_SUCH_MESSAGE = "BAD No message has that sequence number";
