/** @jsxImportSource preact */
/** What changes something: shown only to sessions that may. */
import type { ComponentChildren } from "preact";
import { session } from "../session.ts";

/** Whether this session may change anything; read while rendering. */
export function mayChange(): boolean {
  return session.value?.scope === "full";
}

interface ActProps {
  onClick: () => unknown;
  children: ComponentChildren;
  kind?: "primary" | "danger" | undefined;
  disabled?: boolean;
  label?: string;
}

/** A button that changes something. */
export function Act({ onClick, children, kind, disabled, label }: ActProps) {
  if (!mayChange()) return null;
  return (
    <button type="button" class={kind} disabled={disabled} aria-label={label} onClick={() => void onClick()}>
      {children}
    </button>
  );
}

/** Anything that only sessions see which may change something. */
export function Changes({ children }: { children: ComponentChildren }) {
  return mayChange() ? <>{children}</> : null;
}

interface SwitchProps {
  label: string;
  isOn: boolean;
  onChange: (isOn: boolean) => unknown;
  /** What it means, below the label. */
  hint?: string;
}

/** On or off, in effect at once. Who may only look sees which, and cannot move it. */
export function Switch({ label, isOn, onChange, hint }: SwitchProps) {
  return (
    <label class="switch">
      <span>
        {label}
        {hint === undefined ? null : <small>{hint}</small>}
      </span>
      <input
        type="checkbox"
        role="switch"
        checked={isOn}
        disabled={!mayChange()}
        onChange={(event) => {
          const wanted = event.currentTarget.checked;
          // It shows what is; whether the wish came true, the next answer says.
          event.currentTarget.checked = isOn;
          void onChange(wanted);
        }}
      />
    </label>
  );
}
