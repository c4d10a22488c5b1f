/** @jsxImportSource preact */
/** A text to take along: shown whole, copied with one tap, also on pages without TLS. */
import { texts } from "../texts.ts";
import { note } from "./notes.tsx";

export function Copy({ text, label }: { text: string; label?: string }) {
  const { common } = texts.value;
  const name = label === undefined ? common.copy : `${common.copy}: ${label}`;
  return (
    <button type="button" class="small" aria-label={name} onClick={() => void copy(text)}>
      {common.copy}
    </button>
  );
}

/** A line of text in a box, with its button. */
export function Copied({ text, label }: { text: string; label: string }) {
  return (
    <div class="copied">
      <code dir="ltr">{text}</code>
      <Copy text={text} label={label} />
    </div>
  );
}

async function copy(text: string): Promise<void> {
  const { common } = texts.value;
  // There is no clipboard on pages that came without TLS; the old way works there.
  const isDone = await (window.isSecureContext
    ? navigator.clipboard.writeText(text).then(
        () => true,
        () => copyBySelection(text),
      )
    : copyBySelection(text));
  note(isDone ? "good" : "bad", isDone ? common.copied : common.copyByHand);
}

function copyBySelection(text: string): boolean {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  // Inside the dialog, if there is one: nothing outside of it takes the focus.
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  return isDone;
}
