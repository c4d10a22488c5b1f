/** Mail that waits for other servers: seen from the outbox, steered through the running queue where there is one. */
import { z } from "zod";
import { type Domain, parseDomain } from "../core/address.ts";
import type { Selection } from "../delivery/queue/entry-index.ts";
import { decodeLetter, encodeLetter, type Letter } from "../delivery/queue/letter.ts";
import { redact } from "../log/redact.ts";
import type { OperationContext } from "./context.ts";
import { bytes, count, domain, timeMs } from "./fields.ts";
import { operation, OperationError } from "./operation.ts";

const LIST_DEFAULT = 100;
const LIST_MAX = 10_000;

interface Waiting {
  id: string;
  bytes: number;
  letter: Letter;
}

/** As `list` shows it: no addresses. */
const entrySummary = z.strictObject({
  id: z.string(),
  domain: z.string(),
  recipientCount: count,
  bytes,
  queuedAtMs: timeMs,
  tries: count,
  /** 0 is as soon as possible. */
  nextAttemptMs: timeMs,
  /** What the last attempt got for an answer, without addresses; "" before it. */
  lastError: z.string(),
});

const selection = z.string().transform((text, issue): Selection => {
  const parsed = selectionOf(text);
  if (parsed === undefined) {
    issue.addIssue({ code: "custom", message: `expected an id, a domain or \`all\`, found ${text}` });
    return z.NEVER;
  }
  return parsed;
});

export const queueOperations = {
  "queue.status": operation({
    summary: "How much waits, and for whom",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({
      messages: count,
      bytes,
      oldestQueuedAtMs: timeMs.nullable(),
      destinations: z.array(z.strictObject({ domain: z.string(), messages: count })),
    }),
    async run(context) {
      const entries = await waiting(context);
      const counts = new Map<string, number>();
      for (const { letter } of entries) counts.set(letter.domain, (counts.get(letter.domain) ?? 0) + 1);
      return {
        messages: entries.length,
        bytes: entries.reduce((sum, entry) => sum + entry.bytes, 0),
        oldestQueuedAtMs: entries[0]?.letter.queuedAtMs ?? null,
        destinations: [...counts]
          .sort((a, b) => b[1] - a[1])
          .map(([name, messages]) => ({ domain: name, messages })),
      };
    },
  }),

  "queue.list": operation({
    summary: "What waits, oldest first; no addresses",
    permission: "read",
    input: z.strictObject({
      domain: domain.optional(),
      limit: z.int().min(1).max(LIST_MAX).default(LIST_DEFAULT),
    }),
    output: z.strictObject({ total: count, entries: z.array(entrySummary) }),
    async run(context, input) {
      const chosen = (await waiting(context)).filter(
        ({ letter }) => input.domain === undefined || letter.domain === input.domain,
      );
      return { total: chosen.length, entries: chosen.slice(0, input.limit).map(summary) };
    },
  }),

  "queue.show": operation({
    summary: "One entry with its addresses and the last answer",
    permission: "read",
    input: z.strictObject({ id: z.string() }),
    output: entrySummary.extend({
      sender: z.string().nullable(),
      recipients: z.array(z.string()),
      lastError: z.string(),
    }),
    async run(context, { id }) {
      const entry = (await waiting(context)).find((each) => each.id === id);
      if (entry === undefined) throw new OperationError("notFound", `nothing in the queue has the id ${id}`);
      const { sender, recipients, lastError } = entry.letter;
      return { ...summary(entry), sender, recipients: [...recipients], lastError };
    },
  }),

  "queue.retry": operation({
    summary: "Try now",
    permission: "change",
    input: z.strictObject({ what: selection }),
    output: z.strictObject({ count }),
    async run(context, { what }) {
      if (context.live !== undefined) return { count: context.live.queue.retry(what) };
      const chosen = (await waiting(context)).filter((entry) => isSelected(entry, what));
      for (const { id, letter } of chosen) {
        await context.store.outbox.setNote(id, encodeLetter({ ...letter, nextAttemptMs: 0 }));
      }
      return { count: chosen.length };
    },
  }),

  "queue.remove": operation({
    summary: "Take entries out for good; their senders are not told",
    permission: "destroy",
    input: z.strictObject({ what: selection }),
    output: z.strictObject({ count }),
    async run(context, { what }) {
      if (context.live !== undefined) return { count: context.live.queue.drop(what) };
      const chosen = (await waiting(context)).filter((entry) => isSelected(entry, what));
      for (const { id } of chosen) context.store.outbox.remove(id);
      return { count: chosen.length };
    },
  }),
};

/** Entry ids have a dot and a number at the end, which no domain has. */
function selectionOf(what: string): Selection | undefined {
  if (what === "all") return "all";
  if (/^[0-9a-z]+-[0-9a-f-]+\.\d{1,6}$/.test(what)) return { id: what };
  const parsed = parseDomain(what);
  return parsed === undefined ? undefined : { domain: parsed };
}

function isSelected({ id, letter }: { id: string; letter: { domain: Domain } }, what: Selection): boolean {
  if (what === "all") return true;
  return "id" in what ? id === what.id : letter.domain === what.domain;
}

/** Every entry, in order of arrival. @throws {StorageError} */
export async function waiting({ store }: Pick<OperationContext, "store">): Promise<Waiting[]> {
  const found: Waiting[] = [];
  const visit = (entry: { id: string; note: string; bytes: number }) => {
    const letter = decodeLetter(entry.note);
    if (letter !== undefined) found.push({ id: entry.id, bytes: entry.bytes, letter });
  };
  await store.outbox.load(visit, { sweep: false });
  return found;
}

function summary({ id, bytes: size, letter }: Waiting): z.output<typeof entrySummary> {
  const { domain: name, recipients, queuedAtMs, tries, nextAttemptMs } = letter;
  const lastError = redact(letter.lastError);
  return {
    id,
    domain: name,
    recipientCount: recipients.length,
    bytes: size,
    queuedAtMs,
    tries,
    nextAttemptMs,
    lastError,
  };
}
