/** @jsxImportSource preact */
/** What was changed and waits for a reload, on every page: how much, and the way to it. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { call } from "./api.ts";
import { useLoad } from "./load.ts";
import { Act } from "./parts/act.tsx";
import { attempt, note } from "./parts/notes.tsx";
import { hrefOf } from "./router.ts";
import { texts } from "./texts.ts";

const REFRESH_MS = 30_000;

/** Counts up with every change made here, so that what waits is looked for at once. */
export const changes = signal(0);

export function PendingBanner() {
  const { shell } = texts.value;
  const load = useLoad("pending", () => call("relay.status", {}), REFRESH_MS);
  useEffect(() => {
    if (changes.value > 0) void load.reload();
  }, [changes.value]);
  const count = load.state.value.data?.pending.length ?? 0;
  if (count === 0) return null;
  return (
    <div class="banner warn pending">
      <a href={hrefOf("/settings/pending")}>{shell.pending(count)}</a>
      <Act onClick={reloadRelay}>{shell.reloadNow}</Act>
    </div>
  );
}

/** Reads configuration and settings again; what could not be taken is told. */
export async function reloadRelay(): Promise<void> {
  let notices: readonly string[] = [];
  await attempt(async () => ({ notices } = await call("relay.reload", {})), texts.value.shell.reloaded);
  for (const each of notices) note("bad", each);
  changes.value++;
}
