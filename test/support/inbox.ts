/** Waiting for mail the way clients do, at any IMAP server. */
import type { ImapClient } from "./imap-client.ts";

const WAIT_MAX_MS = 20_000;
/** News that came before IDLE's `+` is not told again. */
const LOOK_AGAIN_MS = 100;

/**
 * The first message of INBOX that contains `text`, as Latin-1.
 * @throws {Error} with what there is instead, when it does not come in time
 */
export async function awaitMail(imap: ImapClient, text: string): Promise<string> {
  const endsMs = performance.now() + WAIT_MAX_MS;
  for (;;) {
    const all = await inbox(imap);
    const found = all.find((message) => message.includes(text));
    if (found !== undefined) return found;
    if (performance.now() > endsMs) throw new Error(`no message with ${text} in ${JSON.stringify(all)}`);
    const tag = await imap.idle();
    await imap.next(LOOK_AGAIN_MS).catch(() => undefined);
    await imap.done(tag);
  }
}

/** All messages of INBOX, whole, as Latin-1. */
export async function inbox(imap: ImapClient): Promise<string[]> {
  const { exists } = await imap.select();
  if (exists === 0) return [];
  return (await imap.fetch("1:*")).map(({ body }) => body?.toString("latin1") ?? "");
}
