/** `madmail queue …`: mail that waits for other servers. */
import { type CommandDef, defineCommand } from "citty";
import type { OutputOf } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { confirmed, operate } from "./operate.ts";
import { CommandError, report, time, wholeNumber } from "./output.ts";

const DESTINATIONS_SHOWN = 20;

export function queueCommand(globals: Globals): CommandDef {
  const what = {
    type: "positional" as const,
    required: true as const,
    description: "An id as `queue list` shows it, a domain, or `all`",
  };
  const yes = { type: "boolean" as const, alias: "y", description: "Do not ask" };
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
          limit: { type: "string", description: "At most so many; default 100" },
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
        args: { what },
        run: ({ args }) => retry(globals, args.what),
      }),
      remove: defineCommand({
        meta: { name: "remove", description: "Take entries out for good; their senders are not told" },
        args: { what, yes },
        run: ({ args }) => remove(globals, "queue remove", args.what, args.yes),
      }),
      purge: defineCommand({
        meta: { name: "purge", description: "Take everything out for good; senders are not told" },
        args: { yes },
        run: ({ args }) => remove(globals, "queue purge", "all", args.yes),
      }),
    },
  });
}

async function status(globals: Globals): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("queue.status", {}));
  const shown = data.destinations.slice(0, DESTINATIONS_SHOWN);
  const hidden = data.destinations.length - shown.length;
  const lines = [
    `${data.messages} waiting for ${data.destinations.length} domains, ${data.bytes} bytes`,
    ...(data.oldestQueuedAtMs === null ? [] : [`oldest since ${time(data.oldestQueuedAtMs)}`]),
    ...shown.map(({ domain, messages }) => `  ${String(messages).padStart(7)}  ${domain}`),
    ...(hidden > 0 ? [`  and ${hidden} more domains`] : []),
  ];
  report(globals, "queue status", lines.join("\n"), data);
}

async function list(
  globals: Globals,
  domain: string | undefined,
  limitText: string | undefined,
): Promise<void> {
  const limit = limitText === undefined ? undefined : wholeNumber("--limit", limitText, 1);
  const data = await operate(globals, (caller) => caller.call("queue.list", { domain, limit }));
  const lines = data.entries.map(
    ({ id, queuedAtMs, domain: to, recipientCount, bytes, tries }) =>
      `${id}  ${time(queuedAtMs)}  ${to}  ${recipientCount} to  ${bytes} bytes  ${tries} tries`,
  );
  if (data.total > lines.length) lines.push(`and ${data.total - lines.length} more`);
  report(globals, "queue list", lines.length > 0 ? lines.join("\n") : "nothing waits", data);
}

async function show(globals: Globals, id: string): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("queue.show", { id }));
  report(globals, "queue show", entryText(data), data);
}

function entryText(entry: OutputOf<"queue.show">): string {
  return [
    `id            ${entry.id}`,
    `from          <${entry.sender ?? ""}>`,
    ...entry.recipients.map((recipient) => `to            <${recipient}>`),
    `bytes         ${entry.bytes}`,
    `queued        ${time(entry.queuedAtMs)}`,
    `tries         ${entry.tries}`,
    `next attempt  ${entry.nextAttemptMs === 0 ? "as soon as possible" : time(entry.nextAttemptMs)}`,
    `last answer   ${entry.lastError === "" ? "none" : entry.lastError}`,
  ].join("\n");
}

async function retry(globals: Globals, what: string): Promise<void> {
  const { count } = await operate(globals, (caller) => caller.call("queue.retry", { what }));
  found(count, what);
  report(globals, "queue retry", `${count} due now`, { count });
}

async function remove(
  globals: Globals,
  command: string,
  what: string,
  isSure: boolean | undefined,
): Promise<void> {
  await operate(globals, async (caller) => {
    const question = `remove ${what === "all" ? "all mail that waits" : what} for good, and tell no sender`;
    if (!(await confirmed(globals, command, question, isSure))) return;
    const { count } = await caller.call("queue.remove", { what });
    found(count, what);
    report(globals, command, `${count} removed`, { count });
  });
}

/** @throws {CommandError} when a name matched nothing */
function found(count: number, what: string): void {
  if (count === 0 && what !== "all") throw new CommandError(`nothing in the queue matches ${what}`);
}
