/** @jsxImportSource preact */
/** A new account: with a name or a made-up one; its code and password are shown this once. */
import { useSignal } from "@preact/signals";
import { call } from "../../api.ts";
import { Dialog } from "../../parts/dialog.tsx";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { texts } from "../../texts.ts";
import { NewAccount, type Made } from "./new-account.tsx";

interface CreateDialogProps {
  onClose: () => void;
  onDone: () => Promise<unknown>;
}

export function CreateDialog({ onClose, onDone }: CreateDialogProps) {
  const t = texts.value.accounts;
  const made = useSignal<Made | undefined>(undefined);
  const create = async (field: (name: string) => string) => {
    const [user, password] = [field("user"), field("password")];
    made.value =
      user === ""
        ? await call("accounts.createRandom", {})
        : await call("accounts.create", { user, ...(password === "" ? {} : { password }) });
    await onDone();
  };
  if (made.value !== undefined) {
    return (
      <Dialog title={t.madeTitle} onClose={onClose}>
        <NewAccount made={made.value} />
      </Dialog>
    );
  }
  return (
    <FormDialog
      title={t.create}
      action={t.createAction}
      onSubmit={create}
      onClose={() => (made.value === undefined ? onClose() : undefined)}
    >
      <Field label={t.name} name="user" hint={t.nameHint} isCode />
      <Field label={t.password} name="password" type="password" hint={t.passwordHint} />
    </FormDialog>
  );
}
