/** Light or dark: the system's wish until the operator says otherwise. */
import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const KEY = "madmail.theme";

export const theme = signal<Theme>("system");

export function applyTheme(next: Theme): void {
  theme.value = next;
  localStorage.setItem(KEY, next);
  if (next === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = next;
}

export function firstTheme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}
