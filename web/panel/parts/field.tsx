/** @jsxImportSource preact */
/** A labelled text field with, if need be, a word on what belongs into it. */
interface FieldProps {
  label: string;
  name: string;
  hint?: string;
  type?: "text" | "number" | "password";
  value?: string;
  placeholder?: string;
  required?: boolean;
  min?: number;
  max?: number;
  pattern?: string;
  /** Text that is not of the panel's language, such as a domain. */
  isCode?: boolean;
}

export function Field({ label, name, hint, value, type = "text", isCode = false, ...rest }: FieldProps) {
  const id = `field-${name}`;
  const hintId = hint === undefined ? undefined : `hint-${name}`;
  const all = {
    ...rest,
    id,
    name,
    defaultValue: value,
    "aria-describedby": hintId,
    autocomplete: "off",
    ...(isCode ? { dir: "ltr" as const, spellcheck: false, autocapitalize: "none" as const } : {}),
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <Input type={type} all={all} />
      {hint === undefined ? null : <small id={hintId}>{hint}</small>}
    </div>
  );
}

/** Each type has attributes of its own, so that the compiler wants to see which it is. */
function Input({ type, all }: { type: "text" | "number" | "password"; all: object }) {
  if (type === "number") return <input {...all} type="number" />;
  return type === "password" ? <input {...all} type="password" /> : <input {...all} type="text" />;
}
