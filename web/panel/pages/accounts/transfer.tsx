/** @jsxImportSource preact */
/** All accounts at once: to a file, from a file, or away. Taking them away is offered only beside the file. */
import { useSignal } from "@preact/signals";
import { ApiError, call } from "../../api.ts";
import { number } from "../../format.ts";
import { Dialog } from "../../parts/dialog.tsx";
import { attempt, note } from "../../parts/notes.tsx";
import { saveFile } from "../../save-file.ts";
import { texts } from "../../texts.ts";

interface TransferDialogProps {
  total: number;
  onClose: () => void;
  onDone: () => Promise<unknown>;
}

export function TransferDialog({ total, onClose, onDone }: TransferDialogProps) {
  const t = texts.value.accounts;
  const typed = useSignal("");
  const isBusy = useSignal(false);
  const busily = async (work: () => Promise<unknown>) => {
    isBusy.value = true;
    await work();
    isBusy.value = false;
    await onDone();
  };
  const word = String(total);
  return (
    <Dialog title={t.transfer} onClose={onClose}>
      <h3>{t.exportTitle}</h3>
      <p>{t.exportText}</p>
      <button type="button" onClick={() => void exportAll()}>
        {t.exportAction(number(total))}
      </button>
      <h3>{t.importTitle}</h3>
      <p>{t.importText}</p>
      <label class="field">
        {t.file}
        <input
          type="file"
          accept="application/json,.json"
          disabled={isBusy.value}
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            if (file !== undefined) void busily(() => importFile(file));
          }}
        />
      </label>
      <h3 class="bad">{t.deleteAllTitle}</h3>
      <p>{t.deleteAllText(number(total))}</p>
      <label class="field">
        {texts.value.common.typeToConfirm(word)}
        <input
          value={typed.value}
          autocomplete="off"
          onInput={(event) => (typed.value = event.currentTarget.value)}
        />
      </label>
      <footer>
        <button type="button" onClick={onClose}>
          {texts.value.common.close}
        </button>
        <button
          type="button"
          class="danger"
          disabled={isBusy.value || total === 0 || typed.value !== word}
          onClick={() =>
            void busily(async () => {
              await attempt(() => call("accounts.deleteAll", {}));
              onClose();
            })
          }
        >
          {t.deleteAllAction(number(total))}
        </button>
      </footer>
    </Dialog>
  );
}

async function exportAll(): Promise<void> {
  await attempt(async () => {
    const found = await call("accounts.export", {});
    saveFile("accounts.json", "application/json", JSON.stringify(found, undefined, 1));
  });
}

/** A list, or what the export writes. */
async function importFile(file: File): Promise<void> {
  const t = texts.value.accounts;
  let users: unknown;
  try {
    const parsed = JSON.parse(await file.text()) as { users?: unknown };
    users = Array.isArray(parsed) ? parsed : parsed.users;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (!Array.isArray(users)) {
    note("bad", t.importNoList);
    return;
  }
  try {
    const done = await call("accounts.import", { users: users as { username: string }[] });
    note("good", t.imported(done.imported, done.skipped));
    for (const each of done.errors.slice(0, 5)) note("bad", each);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    note("bad", texts.value.common.failed(error.message));
  }
}
