/** @jsxImportSource preact */
/** A labelled text field with, if need be, a word on what belongs into it. */
interface FieldProps {
  label: string;
  name: string;
  hint?: string;
  type?: "text" | "number" | "password" | "search" | "url";
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
  const hintId = hint === undefined ? undefined : `hint-${name}`;
  return (
    <div class="field">
      <label for={`field-${name}`}>{label}</label>
      <input
        {...rest}
        id={`field-${name}`}
        name={name}
        type={type as "text"}
        defaultValue={value}
        aria-describedby={hintId}
        autocomplete="off"
        {...(isCode ? { dir: "ltr", spellcheck: false, autocapitalize: "none" } : {})}
      />
      {hint === undefined ? null : <small id={hintId}>{hint}</small>}
    </div>
  );
}
