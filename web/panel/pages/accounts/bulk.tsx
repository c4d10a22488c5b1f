/** @jsxImportSource preact */
/** One change to many accounts: what it does to how many is said first, and how far it got. */
import { useSignal } from "@preact/signals";
import { ApiError, call } from "../../api.ts";
import { bytesOf, number } from "../../format.ts";
import { Confirm } from "../../parts/dialog.tsx";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { note } from "../../parts/notes.tsx";
import { texts } from "../../texts.ts";

export type BulkKind = "quota" | "block" | "ban" | "delete";

interface BulkDialogProps {
  kind: BulkKind;
  users: readonly string[];
  onClose: () => void;
  onDone: () => Promise<unknown>;
}

/** From here on the number must be typed. */
const MANY = 2;

export function BulkDialog({ kind, users, onClose, onDone }: BulkDialogProps) {
  const t = texts.value.accounts;
  const done = useSignal<number | undefined>(undefined);
  const forEach = async (work: (user: string) => Promise<unknown>) => {
    let failures = 0;
    let why = "";
    done.value = 0;
    for (const user of users) {
      try {
        await work(user);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        failures++;
        why = error.message;
        if (error.status === 0 || error.status === 401) break;
      }
      done.value++;
    }
    if (failures === 0) note("good", t.bulkDone(users.length));
    else note("bad", t.bulkFailed(failures, why));
    await onDone();
  };
  const progress =
    done.value === undefined ? null : <p role="status">{t.progress(done.value, users.length)}</p>;
  if (kind === "quota") {
    return (
      <QuotaDialog
        title={t.quotaTitle(users.length)}
        onSet={(bytes) => forEach((user) => call("quota.set", { user, bytes }))}
        onReset={() => forEach((user) => call("quota.reset", { user }))}
        onClose={onClose}
      />
    );
  }
  const work = {
    block: (user: string) => call("blocklist.add", { user }),
    ban: (user: string) => call("accounts.ban", { user }),
    delete: (user: string) => call("accounts.delete", { user, block: false }),
  }[kind];
  const isFinal = kind !== "block";
  return (
    <Confirm
      title={t.bulkTitles[kind](users.length)}
      action={t.bulkActions[kind]}
      {...(isFinal && users.length >= MANY ? { word: String(users.length) } : {})}
      onConfirm={() => forEach(work)}
      onClose={onClose}
    >
      <p>{t.bulkTexts[kind]}</p>
      <ul class="names" dir="ltr">
        {users.slice(0, 5).map((user) => (
          <li key={user}>{user}</li>
        ))}
        {users.length > 5 ? <li>… +{number(users.length - 5)}</li> : null}
      </ul>
      {progress}
    </Confirm>
  );
}

interface QuotaDialogProps {
  title: string;
  /** As it can be typed. */
  current?: string;
  onSet: (bytes: number) => Promise<unknown>;
  onReset: () => Promise<unknown>;
  onClose: () => void;
}

/** A size, unlimited, or back to what domain or default say. */
export function QuotaDialog({ title, current = "", onSet, onReset, onClose }: QuotaDialogProps) {
  const t = texts.value.accounts;
  return (
    <FormDialog
      title={title}
      action={texts.value.common.save}
      onClose={onClose}
      onSubmit={async (field) => {
        const text = field("size");
        if (text === "") return onReset();
        const bytes = bytesOf(text);
        if (bytes === undefined) throw new ApiError(400, t.badSize);
        return onSet(bytes);
      }}
    >
      <Field label={t.quota} name="size" value={current} hint={t.quotaHint} isCode />
    </FormDialog>
  );
}
