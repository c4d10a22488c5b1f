/** @jsxImportSource preact */
/** A search field that asks once the typing pauses. */
import { useEffect, useRef } from "preact/hooks";

const PAUSE_MS = 250;

interface SearchProps {
  label: string;
  value: string;
  onChange: (text: string) => void;
}

export function Search({ label, value, onChange }: SearchProps) {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <label class="field search">
      {label}
      <input
        type="search"
        defaultValue={value}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => {
          const text = event.currentTarget.value.trim();
          clearTimeout(timer.current);
          timer.current = setTimeout(() => onChange(text), PAUSE_MS);
        }}
      />
    </label>
  );
}
