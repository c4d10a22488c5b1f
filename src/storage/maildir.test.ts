/** The Maildir implementation: conformance, and what only files can show. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ManualClock } from "../core/clock.ts";
import type { LocalChangeHub } from "../core/changes.ts";
import type { Log } from "../log/events.ts";
import { storeConformance } from "./conformance.test-help.ts";
import { type MaildirOptions, MaildirStore } from "./maildir.ts";

const silent: Log = { emit: () => undefined, counts: () => new Map() };

for (const fsync of ["always", "optimized", "never"] as const) {
  storeConformance(`MaildirStore with fsync=${fsync}`, async ({ hub, clock }) => {
    const directory = await mkdtemp(join(tmpdir(), "madmail-store-"));
    const options: MaildirOptions = { ...parts(directory, hub, clock), fsync };
    let store = await opened(options);
    return {
      store,
      reopen: async () => {
        await store.close();
        store = await opened(options);
        return store;
      },
      dispose: async () => {
        await store.close();
        await rm(directory, { recursive: true });
      },
    };
  });
}

function parts(directory: string, hub: LocalChangeHub, clock: ManualClock) {
  return { root: `${directory}/mail`, spoolDir: `${directory}/spool`, hub, clock, log: silent };
}

async function opened(options: MaildirOptions): Promise<MaildirStore> {
  const store = new MaildirStore(options);
  await store.start();
  return store;
}
