/** `madmail queue …`: mail that waits for other servers. */
import { type CommandDef, defineCommand } from "citty";
import { selectionOf } from "../app/queue-control.ts";
import { type DeskEntry, isSelected, QueueDesk } from "../app/queue-desk.ts";
import { locateConfig } from "../config/locate.ts";
import { readConfig } from "../config/read.ts";
import { DatabaseError } from "../db/open.ts";
import type { Selection } from "../delivery/queue/entry-index.ts";
import { StorageError } from "../storage/store.ts";
import type { Globals } from "./globals.ts";
import { CommandError, report } from "./output.ts";

const LIST_DEFAULT = 100;
const DESTINATIONS_SHOWN = 20;

export function queueCommand(globals: Globals): CommandDef {
  const target = {
    what: {
      type: "positional" as const,
      required: true as const,
      description: "An id as `queue list` shows it, a domain, or `all`",
    },
  };
  return defineCommand({
    meta: { name: "queue", description: "See and steer mail that waits for other servers" },
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "How much waits, and for whom" },
        run: () => status(globals),
      }),
      list: defineCommand({
        meta: { name: "list", description: "What waits, oldest first; no addresses" },
        args: {
          domain: { type: "string", description: "Only mail for that domain" },
          limit: { type: "string", description: `At most so many; default ${LIST_DEFAULT}` },
        },
        run: ({ args }) => list(globals, args.domain, args.limit),
      }),
      show: defineCommand({
        meta: { name: "show", description: "One entry with its addresses and the last answer" },
        args: { id: { type: "positional", required: true, description: "As `queue list` shows it" } },
        run: ({ args }) => show(globals, args.id),
      }),
      retry: defineCommand({
        meta: { name: "retry", description: "Try now" },
        args: target,
        run: ({ args }) => change(globals, "retry", args.what),
      }),
      remove: defineCommand({
        meta: { name: "remove", description: "Take entries out for good; their senders are not told" },
        args: target,
        run: ({ args }) => change(globals, "remove", args.what),
      }),
      purge: defineCommand({
        meta: { name: "purge", description: "Take everything out for good; senders are not told" },
        args: { yes: { type: "boolean", description: "Really" } },
        run: ({ args }) => purge(globals, args.yes === true),
      }),
    },
  });
}

async function status(globals: Globals): Promise<void> {
  const entries = await told(desk(globals).entries());
  const counts = new Map<string, number>();
  let bytes = 0;
  for (const { letter, bytes: size } of entries) {
    bytes += size;
    counts.set(letter.domain, (counts.get(letter.domain) ?? 0) + 1);
  }
  const destinations = [...counts].sort((a, b) => b[1] - a[1]);
  const oldestMs = entries[0]?.letter.queuedAtMs;
  const shown = destinations.slice(0, DESTINATIONS_SHOWN);
  const lines = [
    `${entries.length} waiting for ${destinations.length} domains, ${bytes} bytes`,
    ...(oldestMs === undefined ? [] : [`oldest since ${time(oldestMs)}`]),
    ...shown.map(([domain, count]) => `  ${String(count).padStart(7)}  ${domain}`),
    ...(destinations.length > shown.length
      ? [`  and ${destinations.length - shown.length} more domains`]
      : []),
  ];
  report(globals, "queue status", lines.join("\n"), {
    messages: entries.length,
    bytes,
    oldestQueuedAtMs: oldestMs ?? null,
    destinations: destinations.map(([domain, messages]) => ({ domain, messages })),
  });
}

async function list(
  globals: Globals,
  domain: string | undefined,
  limitText = String(LIST_DEFAULT),
): Promise<void> {
  const limit = Number(limitText);
  if (!Number.isInteger(limit) || limit < 1) {
    throw new CommandError(`--limit: expected a number above 0, found ${limitText}`);
  }
  const selection = domain === undefined ? "all" : selected(domain);
  const entries = (await told(desk(globals).entries())).filter((entry) => isSelected(entry, selection));
  const shown = entries.slice(0, limit);
  const lines = shown.map(
    ({ id, bytes, letter }) =>
      `${id}  ${time(letter.queuedAtMs)}  ${letter.domain}  ${letter.recipients.length} to  ${bytes} bytes  ${letter.tries} tries`,
  );
  if (entries.length > shown.length) lines.push(`and ${entries.length - shown.length} more`);
  const text = lines.length > 0 ? lines.join("\n") : "nothing waits";
  report(globals, "queue list", text, { total: entries.length, entries: shown.map(summary) });
}

async function show(globals: Globals, id: string): Promise<void> {
  const entry = (await told(desk(globals).entries())).find((each) => each.id === id);
  if (entry === undefined) throw new CommandError(`nothing in the queue has the id ${id}`);
  const { letter } = entry;
  const lines = [
    `id            ${entry.id}`,
    `from          <${letter.sender ?? ""}>`,
    ...letter.recipients.map((recipient) => `to            <${recipient}>`),
    `bytes         ${entry.bytes}`,
    `queued        ${time(letter.queuedAtMs)}`,
    `tries         ${letter.tries}`,
    `next attempt  ${letter.nextAttemptMs === 0 ? "as soon as possible" : time(letter.nextAttemptMs)}`,
    `last answer   ${letter.lastError === "" ? "none" : letter.lastError}`,
  ];
  const { sender, recipients, lastError } = letter;
  report(globals, "queue show", lines.join("\n"), { ...summary(entry), sender, recipients, lastError });
}

async function change(globals: Globals, act: "retry" | "remove", what: string): Promise<void> {
  const selection = selected(what);
  const result = await told(desk(globals).change({ do: act, what }, selection));
  if (result.by === "unanswered") {
    throw new CommandError("the relay runs but has not reacted yet; it will when it gets SIGHUP");
  }
  const { count, by } = result;
  if (count === 0 && what !== "all") throw new CommandError(`nothing in the queue matches ${what}`);
  const done = act === "remove" ? "removed" : by === "relay" ? "tried now" : "due at the next start";
  report(globals, `queue ${act}`, `${count} ${done}`, { count, by });
}

async function purge(globals: Globals, isSure: boolean): Promise<void> {
  if (!isSure) {
    const { length } = await told(desk(globals).entries());
    throw new CommandError(
      `this would remove ${length} messages for good, and nobody is told; say --yes to do it`,
    );
  }
  await change(globals, "remove", "all");
}

function desk(globals: Globals): QueueDesk {
  const file = globals.config ?? locateConfig();
  if (globals.stateDir !== undefined && file === undefined) return new QueueDesk(globals.stateDir);
  if (file === undefined) {
    throw new CommandError(
      "no configuration file found; name one with --config, or the state with --state-dir",
    );
  }
  return new QueueDesk(readConfig(file, { stateDir: globals.stateDir }).stateDir);
}

/** Faults of database and storage are for the operator: no stack. */
async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof DatabaseError || error instanceof StorageError) {
      throw new CommandError(error.message, { cause: error });
    }
    throw error;
  }
}

function selected(what: string): Selection {
  const selection = selectionOf(what);
  if (selection === undefined) throw new CommandError(`expected an id, a domain or \`all\`, found ${what}`);
  return selection;
}

function summary({ id, bytes, letter }: DeskEntry) {
  const { domain, recipients, queuedAtMs, tries, nextAttemptMs } = letter;
  return { id, domain, recipientCount: recipients.length, bytes, queuedAtMs, tries, nextAttemptMs };
}

function time(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
