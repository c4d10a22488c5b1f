/** @jsxImportSource preact */
/** A setting as pages show and change it. */
import type { OutputOf } from "../../../../src/operations/operations.ts";
import { texts } from "../../texts.ts";

export type Setting = OutputOf<"settings.list">["settings"][number];

/** What the change supposes; a secret that was not shown supposes nothing. */
export function believed({ value }: Setting): { expected?: string } {
  return value === null ? {} : { expected: value };
}

export function Value({ setting: { value, secret } }: { setting: Setting }) {
  const t = texts.value.settings;
  if (value === null || (secret && value !== "")) return <span class="quiet">{t.secretSet}</span>;
  if (value === "") return <span class="quiet">{t.notSet}</span>;
  return <code dir="ltr">{value}</code>;
}
