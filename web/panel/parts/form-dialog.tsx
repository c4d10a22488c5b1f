/** @jsxImportSource preact */
/** A question with fields. It stays open when the relay refuses, with the reason in it. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { ApiError } from "../api.ts";
import { texts } from "../texts.ts";
import { Dialog } from "./dialog.tsx";

interface FormDialogProps {
  title: string;
  action: string;
  children: ComponentChildren;
  onSubmit: (field: (name: string) => string, form: FormData) => Promise<unknown>;
  onClose: () => void;
}

export function FormDialog({ title, action, children, onSubmit, onClose }: FormDialogProps) {
  const [error, setError] = useState<string | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  const submit = async (form: FormData) => {
    setBusy(true);
    try {
      await onSubmit((name) => fieldOf(form, name), form);
      onClose();
    } catch (fault) {
      if (!(fault instanceof ApiError)) throw fault;
      setError(fault.message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit(new FormData(event.currentTarget));
        }}
      >
        {children}
        {error === undefined ? null : (
          <p class="banner bad" role="alert">
            {error}
          </p>
        )}
        <footer>
          <button type="button" onClick={onClose}>
            {texts.value.common.cancel}
          </button>
          <button type="submit" class="primary" disabled={isBusy}>
            {action}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function fieldOf(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value.trim() : "";
}
