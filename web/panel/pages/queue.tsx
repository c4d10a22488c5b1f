/** @jsxImportSource preact */
/** Mail that waits for other servers: for whom, since when, why; try now, or take out. */
import { useSignal } from "@preact/signals";
import { call } from "../api.ts";
import { ago, number, size } from "../format.ts";
import { useLoad } from "../load.ts";
import { Act } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Confirm } from "../parts/dialog.tsx";
import { attempt } from "../parts/notes.tsx";
import { Search } from "../parts/search.tsx";
import { Table } from "../parts/table.tsx";
import { place, setQuery } from "../router.ts";
import { texts } from "../texts.ts";

const REFRESH_MS = 10_000;
const SHOWN = 200;

interface Dropping {
  what: string;
  text: string;
  /** Typed first: how many go. */
  word?: string;
}

export function Queue() {
  const t = texts.value.queue;
  const domain = place.value.query.get("domain") ?? undefined;
  const status = useLoad("queue", () => call("queue.status", {}), REFRESH_MS);
  const list = useLoad(`queue ${domain}`, () => call("queue.list", { domain, limit: SHOWN }), REFRESH_MS);
  const dropping = useSignal<Dropping | undefined>(undefined);
  const reload = () => Promise.all([status.reload(), list.reload()]);
  const retry = (what: string) => attempt(() => call("queue.retry", { what })).then(reload);
  const total = list.state.value.data?.total ?? 0;
  const dropMany = () => {
    const count = number(total);
    const text = domain === undefined ? t.dropEvery(count) : t.dropDomain(count, domain);
    dropping.value = { what: domain ?? "all", text, word: String(total) };
  };
  return (
    <>
      <Answered load={status}>
        {({ messages, bytes, destinations, oldestQueuedAtMs }) =>
          messages === 0 ? null : (
            <p>
              {t.summary(number(messages), number(destinations.length), size(bytes))}{" "}
              {oldestQueuedAtMs === null ? null : t.oldest(ago(oldestQueuedAtMs))}
            </p>
          )
        }
      </Answered>
      {total === 0 && domain === undefined ? null : (
        <div class="toolbar">
          <Search label={t.domain} value={domain ?? ""} onChange={(text) => setQuery({ domain: text })} />
          <span class="end buttons">
            <Act disabled={total === 0} onClick={() => retry(domain ?? "all")}>
              {t.retryAll}
            </Act>
            <Act kind="danger" disabled={total === 0} onClick={dropMany}>
              {t.dropAll}
            </Act>
          </span>
        </div>
      )}
      <Answered load={list}>
        {({ entries, total: all }) => (
          <>
            <Table
              label={texts.value.nav.queue}
              rows={entries}
              keyOf={({ id }) => id}
              empty={t.empty}
              columns={[
                { title: t.domain, cell: (entry) => <span dir="ltr">{entry.domain}</span> },
                { title: t.recipients, isNumber: true, cell: (entry) => number(entry.recipientCount) },
                { title: t.size, isNumber: true, cell: (entry) => size(entry.bytes) },
                { title: t.since, cell: (entry) => ago(entry.queuedAtMs) },
                { title: t.tries, isNumber: true, cell: (entry) => number(entry.tries) },
                {
                  title: t.next,
                  cell: (entry) => (entry.nextAttemptMs === 0 ? t.soon : ago(entry.nextAttemptMs)),
                },
                { title: t.answer, cell: (entry) => <span dir="ltr">{entry.lastError}</span> },
                {
                  title: texts.value.common.actions,
                  cell: (entry) => (
                    <span class="buttons">
                      <Act label={`${t.retry}: ${entry.domain}`} onClick={() => retry(entry.id)}>
                        {t.retry}
                      </Act>
                      <Act
                        kind="danger"
                        label={`${t.drop}: ${entry.domain}`}
                        onClick={() => (dropping.value = { what: entry.id, text: t.dropOne(entry.domain) })}
                      >
                        {t.drop}
                      </Act>
                    </span>
                  ),
                },
              ]}
            />
            {all > entries.length ? <p class="quiet">{t.more(number(entries.length), number(all))}</p> : null}
          </>
        )}
      </Answered>
      {dropping.value === undefined ? null : (
        <Confirm
          title={t.dropTitle}
          action={t.drop}
          {...(dropping.value.word === undefined ? {} : { word: dropping.value.word })}
          onConfirm={() =>
            attempt(() => call("queue.remove", { what: dropping.value?.what ?? "" })).then(reload)
          }
          onClose={() => (dropping.value = undefined)}
        >
          <p>{dropping.value.text}</p>
        </Confirm>
      )}
    </>
  );
}
