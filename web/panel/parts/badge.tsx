/** @jsxImportSource preact */
/** A state in a word; the colour only repeats it. */
import type { ComponentChildren } from "preact";

export type Tone = "good" | "warn" | "bad" | "plain";

export function Badge({ tone = "plain", children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}
