/** @jsxImportSource preact */
/** Mail that waits for other servers: for whom, since when, why; try now, or take out. */
import { useSignal } from "@preact/signals";
import { call } from "../api.ts";
import { ago, number, size } from "../format.ts";
import { useLoad } from "../load.ts";
import { Answered } from "../parts/answered.tsx";
import { Confirm } from "../parts/dialog.tsx";
import { attempt } from "../parts/notes.tsx";
import { Table } from "../parts/table.tsx";
import { place, setQuery } from "../router.ts";
import { texts } from "../texts.ts";

const REFRESH_MS = 10_000;
const SHOWN = 200;

export function Queue() {
  const t = texts.value;
  const domain = place.value.query.get("domain") ?? undefined;
  const status = useLoad("queue", () => call("queue.status", {}), REFRESH_MS);
  const list = useLoad(`queue ${domain}`, () => call("queue.list", { domain, limit: SHOWN }), REFRESH_MS);
  const dropping = useSignal<string | undefined>(undefined);
  const reload = () => Promise.all([status.reload(), list.reload()]);
  const retry = (what: string) => attempt(() => call("queue.retry", { what })).then(reload);
  return (
    <>
      <Answered load={status}>
        {({ messages, bytes, destinations, oldestQueuedAtMs }) => (
          <p>
            {t.queue.summary(number(messages), number(destinations.length), size(bytes))}{" "}
            {oldestQueuedAtMs === null ? null : t.queue.oldest(ago(oldestQueuedAtMs))}
          </p>
        )}
      </Answered>
      <div class="toolbar">
        <label class="field">
          {t.queue.domain}
          <input
            type="search"
            value={domain ?? ""}
            onChange={(event) => setQuery({ domain: event.currentTarget.value.trim() })}
          />
        </label>
        <button type="button" onClick={() => void retry(domain ?? "all")}>
          {t.queue.retryAll}
        </button>
        <button type="button" class="danger" onClick={() => (dropping.value = domain ?? "all")}>
          {t.queue.dropAll}
        </button>
      </div>
      <Answered load={list}>
        {({ entries }) => (
          <Table
            label={t.nav.queue}
            rows={entries}
            keyOf={({ id }) => id}
            empty={t.queue.empty}
            columns={[
              { title: t.queue.domain, cell: (entry) => entry.domain },
              { title: t.queue.recipients, isNumber: true, cell: (entry) => number(entry.recipientCount) },
              { title: t.queue.size, isNumber: true, cell: (entry) => size(entry.bytes) },
              { title: t.queue.since, cell: (entry) => ago(entry.queuedAtMs) },
              { title: t.queue.tries, isNumber: true, cell: (entry) => number(entry.tries) },
              {
                title: t.queue.next,
                cell: (entry) => (entry.nextAttemptMs === 0 ? t.queue.soon : ago(entry.nextAttemptMs)),
              },
              { title: t.queue.answer, cell: (entry) => entry.lastError },
              {
                title: t.common.actions,
                cell: (entry) => (
                  <span class="buttons">
                    <button type="button" onClick={() => void retry(entry.id)}>
                      {t.queue.retry}
                    </button>
                    <button type="button" class="danger" onClick={() => (dropping.value = entry.id)}>
                      {t.queue.drop}
                    </button>
                  </span>
                ),
              },
            ]}
          />
        )}
      </Answered>
      {dropping.value === undefined ? null : (
        <Confirm
          title={t.queue.dropTitle}
          action={t.queue.drop}
          {...(dropping.value === "all" ? { word: "all" } : {})}
          onConfirm={() => attempt(() => call("queue.remove", { what: dropping.value ?? "" })).then(reload)}
          onClose={() => (dropping.value = undefined)}
        >
          <p>{t.queue.dropText(dropping.value)}</p>
        </Confirm>
      )}
    </>
  );
}
