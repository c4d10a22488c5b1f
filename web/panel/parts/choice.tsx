/** @jsxImportSource preact */
/** One of a few, with a label: in forms by its name, elsewhere at once. */
interface ChoiceProps<Value extends string> {
  label: string;
  /** In the order shown. */
  options: Readonly<Partial<Record<Value, string>>>;
  value: Value;
  onChange?: (value: Value) => unknown;
  name?: string;
}

export function Choice<Value extends string>({ label, options, value, onChange, name }: ChoiceProps<Value>) {
  const entries = Object.entries(options) as [Value, string][];
  return (
    <label class="field">
      {label}
      <select
        name={name}
        {...(onChange === undefined ? { defaultValue: value } : { value })}
        onChange={(event) => onChange?.(event.currentTarget.value as Value)}
      >
        {entries.map(([each, title]) => (
          <option key={each} value={each} selected={each === value}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}
