/** @jsxImportSource preact */
/** Who may have an account, and invitations: tokens with a link and a code to scan. */
import { useSignal } from "@preact/signals";
import type { OutputOf } from "../../../src/operations/operations.ts";
import { call } from "../api.ts";
import { moment, number } from "../format.ts";
import { useLoad } from "../load.ts";
import { Act, Switch } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Badge, type Tone } from "../parts/badge.tsx";
import { Copied } from "../parts/copy.tsx";
import { Confirm, Dialog } from "../parts/dialog.tsx";
import { Field } from "../parts/field.tsx";
import { FormDialog } from "../parts/form-dialog.tsx";
import { attempt } from "../parts/notes.tsx";
import { Qr } from "../parts/qr.tsx";
import { Table } from "../parts/table.tsx";
import { texts } from "../texts.ts";

type Token = OutputOf<"tokens.list">["tokens"][number];
type Open = { what: "create" } | { what: "show" | "edit" | "remove"; token: Token };

const tones: Record<Token["status"], Tone> = { active: "good", exhausted: "plain", expired: "warn" };

export function Invites() {
  const t = texts.value.invites;
  const { common } = texts.value;
  const load = useLoad("tokens", () => call("tokens.list", {}));
  const open = useSignal<Open | undefined>(undefined);
  return (
    <>
      <Registration />
      <div class="toolbar">
        <h2>{t.title}</h2>
        <span class="end">
          <Act kind="primary" onClick={() => (open.value = { what: "create" })}>
            {t.create}
          </Act>
        </span>
      </div>
      <Answered load={load}>
        {({ tokens }) => (
          <Table
            label={t.title}
            rows={tokens}
            keyOf={({ token }) => token}
            empty={t.none}
            columns={[
              {
                title: t.token,
                cell: ({ token, comment }) => (
                  <>
                    <code dir="ltr">{token}</code>
                    {comment === "" ? null : <small class="block quiet">{comment}</small>}
                  </>
                ),
              },
              {
                title: t.status,
                cell: ({ status }) => <Badge tone={tones[status]}>{t.statuses[status]}</Badge>,
              },
              {
                title: t.uses,
                isNumber: true,
                cell: ({ usedCount, pending, maxUses }) =>
                  `${number(usedCount)}${pending > 0 ? ` + ${number(pending)}` : ""} / ${number(maxUses)}`,
              },
              {
                title: t.expires,
                cell: ({ expiresAtSec }) =>
                  expiresAtSec === null ? common.never : moment(expiresAtSec * 1000),
              },
              {
                title: common.actions,
                cell: (token) => (
                  <span class="buttons">
                    <button type="button" onClick={() => (open.value = { what: "show", token })}>
                      {t.show}
                    </button>
                    <Act onClick={() => (open.value = { what: "edit", token })}>{common.edit}</Act>
                    <Act kind="danger" onClick={() => (open.value = { what: "remove", token })}>
                      {common.remove}
                    </Act>
                  </span>
                ),
              },
            ]}
          />
        )}
      </Answered>
      <Opened open={open.value} onChange={(next) => (open.value = next)} reload={load.reload} />
    </>
  );
}

function Registration() {
  const t = texts.value.invites;
  const load = useLoad("registration", () => call("registration.get", {}));
  const set = (input: { open?: boolean; jit?: boolean; tokenRequired?: boolean }) =>
    attempt(() => call("registration.set", input)).then(load.reload);
  return (
    <Answered load={load}>
      {({ open, jit, jitInForce, tokenRequired }) => (
        <section class="card switches">
          <h2>{t.registration}</h2>
          <Switch label={t.open} hint={t.openHint} isOn={open} onChange={(is) => set({ open: is })} />
          <Switch
            label={t.tokenRequired}
            hint={t.tokenRequiredHint}
            isOn={tokenRequired}
            onChange={(is) => set({ tokenRequired: is })}
          />
          <Switch
            label={t.jit}
            hint={jit && !jitInForce ? t.jitNotInForce : t.jitHint}
            isOn={jit}
            onChange={(is) => set({ jit: is })}
          />
        </section>
      )}
    </Answered>
  );
}

interface OpenedProps {
  open: Open | undefined;
  onChange: (open: Open | undefined) => void;
  reload: () => Promise<void>;
}

function Opened({ open, onChange, reload }: OpenedProps) {
  const t = texts.value.invites;
  const { common } = texts.value;
  const close = () => onChange(undefined);
  if (open === undefined) return null;
  if (open.what === "create") {
    return (
      <TokenForm onClose={close} reload={reload} onMade={(token) => onChange({ what: "show", token })} />
    );
  }
  const { token } = open;
  if (open.what === "edit") return <TokenForm token={token} onClose={close} reload={reload} />;
  if (open.what === "show") {
    return (
      <Dialog title={t.showTitle} onClose={close}>
        <div class="made">
          <p>{t.showText}</p>
          <Qr text={token.link} label={t.qr} />
          <Copied text={token.link} label={t.link} />
          <Copied text={token.token} label={t.token} />
        </div>
      </Dialog>
    );
  }
  return (
    <Confirm
      title={t.removeTitle}
      action={common.remove}
      onConfirm={() => attempt(() => call("tokens.remove", { token: token.token })).then(reload)}
      onClose={close}
    >
      <p>{t.removeText(token.pending)}</p>
    </Confirm>
  );
}

interface TokenFormProps {
  token?: Token;
  onClose: () => void;
  reload: () => Promise<void>;
  onMade?: (token: Token) => void;
}

function TokenForm({ token, onClose, reload, onMade }: TokenFormProps) {
  const t = texts.value.invites;
  // The code of a new one takes the place of the form.
  const isMade = useSignal(false);
  const save = async (field: (name: string) => string) => {
    const name = token?.token ?? field("token");
    const expiresIn = field("expiresIn");
    const { created: _, ...made } = await call("tokens.create", {
      ...(name === "" ? {} : { token: name }),
      maxUses: Number(field("maxUses")),
      comment: field("comment"),
      ...(expiresIn === "" ? keptExpiry(token) : { expiresIn }),
    });
    await reload();
    if (onMade === undefined) return;
    isMade.value = true;
    onMade(made);
  };
  return (
    <FormDialog
      title={token === undefined ? t.create : t.editTitle}
      action={texts.value.common.save}
      onSubmit={save}
      onClose={() => (isMade.value ? undefined : onClose())}
    >
      {token === undefined ? (
        <Field label={t.token} name="token" hint={t.tokenHint} isCode />
      ) : (
        <code>{token.token}</code>
      )}
      <Field
        label={t.maxUses}
        name="maxUses"
        type="number"
        min={1}
        value={String(token?.maxUses ?? 1)}
        required
      />
      <Field
        label={t.expiresIn}
        name="expiresIn"
        value={token === undefined ? "7d" : ""}
        hint={token === undefined ? t.expiresHint : t.expiresKeptHint}
        isCode
      />
      <Field label={t.comment} name="comment" value={token?.comment ?? ""} hint={t.commentHint} />
    </FormDialog>
  );
}

function keptExpiry(token: Token | undefined): { expiresAt?: number } {
  const at = token?.expiresAtSec ?? null;
  return at === null ? {} : { expiresAt: at };
}
