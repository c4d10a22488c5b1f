/** @jsxImportSource preact */
/** One setting, changed: of a few values by choice, else typed; with what the operator saw, so that nobody is overruled unseen. */
import { call } from "../../api.ts";
import { Choice } from "../../parts/choice.tsx";
import { Field } from "../../parts/field.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { note } from "../../parts/notes.tsx";
import { texts } from "../../texts.ts";
import { believed, type Setting } from "./setting.tsx";

interface SettingDialogProps {
  setting: Setting;
  onClose: () => void;
  onDone: () => Promise<unknown>;
}

/** Turning one of these on hurts others, or locks the operator out. */
const dangerous = ["allow_inbound_remote_rcpt", "admin_web_enabled", "admin_path", "admin_web_path"] as const;

export function SettingDialog({ setting, onClose, onDone }: SettingDialogProps) {
  const t = texts.value.settings;
  const { name, kind, allowed, expects, effect, summary, secret, value } = setting;
  const save = async (field: (name: string) => string) => {
    const { notices, pending } = await call("settings.set", {
      name,
      value: field("value"),
      ...believed(setting),
    });
    note("good", pending ? t.savedWaits[effect] : t.saved);
    for (const each of notices) note("bad", each);
    await onDone();
  };
  const danger = dangerous.find((each) => each === name);
  return (
    <FormDialog title={name} action={texts.value.common.save} onSubmit={save} onClose={onClose}>
      <p lang="en" dir="ltr">
        {summary}
      </p>
      {danger === undefined ? null : <p class="banner bad">{t.dangers[danger]}</p>}
      {allowed === undefined ? (
        <Field
          label={t.value}
          name="value"
          value={secret ? "" : (value ?? "")}
          type={secret ? "password" : "text"}
          hint={t.expects(expects)}
          required
          isCode
        />
      ) : (
        <Choice
          label={t.value}
          name="value"
          value={value ?? ""}
          options={Object.fromEntries(allowed.map((each) => [each, each]))}
        />
      )}
      <p class="quiet">
        {t.effectTexts[effect]} {kind === "secret" ? t.secretText : ""}
      </p>
    </FormDialog>
  );
}
