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

const GOOD_MS = 4000;
/** There is more to read, and it matters. */
const BAD_MS = 12_000;
const CONFLICT = 409;
const notes = signal<readonly Note[]>([]);
let lastId = 0;

export function note(kind: Note["kind"], text: string): void {
  const id = ++lastId;
  notes.value = [...notes.value, { id, kind, text }];
  setTimeout(() => dismiss(id), kind === "good" ? GOOD_MS : BAD_MS);
}

function dismiss(id: number): void {
  notes.value = notes.value.filter((each) => each.id !== id);
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
    const { common } = texts.value;
    note("bad", error.status === CONFLICT ? common.conflict(error.message) : common.failed(error.message));
    return false;
  }
}

export function Notes() {
  return (
    <div class="notes" role="status" aria-live="polite">
      {notes.value.map(({ id, kind, text }) => (
        <p key={id} class={`note ${kind}`}>
          <span>{text}</span>
          <button
            type="button"
            class="icon"
            aria-label={texts.value.common.close}
            onClick={() => dismiss(id)}
          >
            ✕
          </button>
        </p>
      ))}
    </div>
  );
}
