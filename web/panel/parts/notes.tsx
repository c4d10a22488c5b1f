/** @jsxImportSource preact */
/** Short notes at the edge of the window: what was done, or why not. Read out by screen readers. */
import { signal } from "@preact/signals";
import { ApiError } from "../api.ts";
import { texts } from "../texts.ts";

interface Note {
  id: number;
  kind: "good" | "bad";
  text: string;
}

const SHOWN_MS = 6000;
const notes = signal<readonly Note[]>([]);
let lastId = 0;

export function note(kind: Note["kind"], text: string): void {
  const id = ++lastId;
  notes.value = [...notes.value, { id, kind, text }];
  setTimeout(() => (notes.value = notes.value.filter((each) => each.id !== id)), SHOWN_MS);
}

/** Runs a change and tells how it went. @returns whether it was done */
export async function attempt(
  work: () => Promise<unknown>,
  done = texts.value.common.done,
): Promise<boolean> {
  try {
    await work();
    note("good", done);
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    note("bad", texts.value.common.failed(error.message));
    return false;
  }
}

export function Notes() {
  return (
    <div class="notes" role="status" aria-live="polite">
      {notes.value.map(({ id, kind, text }) => (
        <p key={id} class={`note ${kind}`}>
          {text}
        </p>
      ))}
    </div>
  );
}
