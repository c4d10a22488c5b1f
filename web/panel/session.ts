/** The session: short, for this tab only. The operator's token itself is never kept. */
import { signal } from "@preact/signals";

export interface Session {
  token: string;
  /** Seconds since 1970. */
  expires_at: number;
  scope: "full" | "read";
}

const KEY = "madmail.session";

export const session = signal<Session | undefined>(stored());

/** Whether the last session ended by itself, as one that ran out. */
export const hasEnded = signal(false);

export function beginSession(opened: Session): void {
  hasEnded.value = false;
  sessionStorage.setItem(KEY, JSON.stringify(opened));
  session.value = opened;
}

export function endSession(): void {
  sessionStorage.removeItem(KEY);
  session.value = undefined;
}

function stored(): Session | undefined {
  const text = sessionStorage.getItem(KEY);
  if (text === null) return undefined;
  const found = JSON.parse(text) as Session;
  return found.expires_at * 1000 > Date.now() ? found : undefined;
}
