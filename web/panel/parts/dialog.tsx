/** @jsxImportSource preact */
/** A modal question: the browser's own dialog, so that keyboard, focus and Escape work as people know them. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { texts } from "../texts.ts";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    const shown = element.current;
    shown?.showModal();
    return () => {
      shown?.close();
      // The button that opened it may be gone with the row that it stood in.
      const back =
        before instanceof HTMLElement && before.isConnected ? before : document.getElementById("main");
      back?.focus();
    };
  }, []);
  return (
    <dialog ref={element} class="dialog" aria-labelledby="dialog-title" onClose={onClose}>
      <header>
        <h2 id="dialog-title">{title}</h2>
        <button type="button" class="icon" aria-label={texts.value.common.close} onClick={onClose}>
          ✕
        </button>
      </header>
      {children}
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  /** What will happen, to how many. */
  children: ComponentChildren;
  /** The button that does it. */
  action: string;
  /** What must be typed first; for what cannot be taken back. */
  word?: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

export function Confirm({ title, children, action, word, onConfirm, onClose }: ConfirmProps) {
  const [typed, setTyped] = useState("");
  const [isBusy, setBusy] = useState(false);
  const { common } = texts.value;
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setBusy(true);
          void onConfirm().finally(() => {
            setBusy(false);
            onClose();
          });
        }}
      >
        <div class="dialog-text">{children}</div>
        {word === undefined ? null : (
          <label class="field">
            {common.typeToConfirm(word)}
            <input
              value={typed}
              autocomplete="off"
              spellcheck={false}
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          </label>
        )}
        <footer>
          <button type="button" onClick={onClose}>
            {common.cancel}
          </button>
          <button type="submit" class="danger" disabled={isBusy || (word !== undefined && typed !== word)}>
            {action}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
