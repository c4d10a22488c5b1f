/** What the state directory holds: database and queue. */
import type { Check } from "./check.ts";
import { fail, type Finding, found, warn } from "./finding.ts";
import type { Books, World } from "./world.ts";

const HOUR_MS = 3_600_000;
/** Mail waits for servers that are down; that is no fault of ours for some hours. */
const OLD_MS = 12 * HOUR_MS;
const FULL_SHARE = 0.8;

export const bookChecks: readonly Check[] = [
  { name: "database", title: "Database", needs: "books", run: ({ books }) => checkDatabase(books) },
  { name: "queue", title: "Queue", needs: "books", run: checkQueue },
];

function checkDatabase(books: Books | undefined): Finding {
  const faults = books?.databaseFaults() ?? [];
  const first = faults.slice(0, 3).join("; ");
  return found(
    "whole",
    faults.length === 0
      ? undefined
      : fail(
          `the database is damaged: ${first}`,
          "stop the relay, keep a copy of madmail.db, and restore a backup (`madmail restore`)",
        ),
  );
}

async function checkQueue({ books, config, clock }: World): Promise<Finding> {
  const queue = await books?.queue();
  if (queue === undefined) return { skipped: "the state directory can't be opened" };
  const { messages, oldestQueuedAtMs, destinations } = queue;
  const { max_messages: max, max_per_destination: maxEach } = config.queue;
  const waitedMs = oldestQueuedAtMs === null ? 0 : clock.nowMs() - oldestQueuedAtMs;
  const mend = "see `madmail queue list` for what they answered, and `madmail doctor --peer DOMAIN`";
  const stuck = destinations.filter((each) => each.messages > maxEach * FULL_SHARE);
  return found(
    messages === 0 ? "empty" : `${messages} messages wait for ${destinations.length} servers`,
    messages > max * FULL_SHARE
      ? fail(`${messages} messages wait and ${max} may: more will be refused`, mend)
      : undefined,
    ...stuck.map((each) => warn(`${each.messages} messages wait for ${each.domain}`, mend)),
    waitedMs > OLD_MS
      ? warn(`the oldest has waited for ${Math.floor(waitedMs / HOUR_MS)} hours`, mend)
      : undefined,
  );
}
