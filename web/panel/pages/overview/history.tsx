/** @jsxImportSource preact */
/** The last day, week or month, as lines. */
import type { OutputOf } from "../../../../src/operations/operations.ts";
import { call } from "../../api.ts";
import { compact, milliseconds, size } from "../../format.ts";
import { useLoad } from "../../load.ts";
import { Answered } from "../../parts/answered.tsx";
import { Chart, type Series } from "../../parts/chart.tsx";
import { place, setQuery } from "../../router.ts";
import { texts } from "../../texts.ts";

type Answer = OutputOf<"history.read">;
type SeriesName = keyof Answer["points"][number]["sample"];

type TrafficPart = "imap" | "smtp" | "federation" | "calls" | "other";

const ranges = ["24h", "7d", "30d"] as const;
const REFRESH_MS = 60_000;
const trafficParts: readonly (readonly [kind: TrafficPart, series: readonly SeriesName[]])[] = [
  ["imap", ["imapInBytes", "imapOutBytes"]],
  ["smtp", ["smtpInBytes", "smtpOutBytes"]],
  ["federation", ["federationInBytes", "federationOutBytes"]],
  ["calls", ["turnInBytes", "turnOutBytes"]],
  [
    "other",
    [
      "httpInBytes",
      "httpOutBytes",
      "irohInBytes",
      "irohOutBytes",
      "shadowsocksInBytes",
      "shadowsocksOutBytes",
      "pushInBytes",
      "pushOutBytes",
    ],
  ],
];

export function History() {
  const t = texts.value.overview;
  const range = ranges.find((each) => each === place.value.query.get("range")) ?? "24h";
  const load = useLoad(`history ${range}`, () => call("history.read", { range }), REFRESH_MS);
  return (
    <section aria-labelledby="history">
      <div class="toolbar">
        <h2 id="history">{t.history}</h2>
        <span class="end segments" role="group" aria-label={t.history}>
          {ranges.map((each) => (
            <button
              key={each}
              type="button"
              aria-pressed={each === range}
              onClick={() => setQuery({ range: each === "24h" ? undefined : each })}
            >
              {t.ranges[each]}
            </button>
          ))}
        </span>
      </div>
      <Answered load={load}>
        {(data) =>
          data.points.length === 0 ? <p class="empty">{t.noHistory}</p> : <Charts data={data} range={range} />
        }
      </Answered>
    </section>
  );
}

const spanSec = { "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400 } as const;

function Charts({ data, range }: { data: Answer; range: keyof typeof spanSec }) {
  const t = texts.value.overview.charts;
  const { timesMs, rows } = grid(data, spanSec[range]);
  const line = (name: string, ...series: SeriesName[]): Series => ({
    name,
    values: rows.map((sample) =>
      sample === undefined ? null : series.reduce((sum, each) => sum + (sample[each] ?? 0), 0),
    ),
  });
  const measured = (name: string, series: SeriesName): Series => ({
    name,
    // Nothing was delivered then: there is no time that it took.
    values: rows.map((sample) =>
      sample === undefined || sample[series] === 0 ? null : (sample[series] ?? null),
    ),
  });
  const chart = (title: string, format: (value: number) => string, series: Series[]) => (
    <div class="card">
      <Chart
        title={title}
        timesMs={timesMs}
        format={format}
        series={series}
        scale={format === size ? "bytes" : "decimal"}
      />
    </div>
  );
  return (
    <div class="cards charts">
      {chart(t.messages, compact, [
        line(t.sent, "sent"),
        line(t.received, "received"),
        line(t.federated, "federated"),
        line(t.refused, "refused"),
      ])}
      {chart(t.users, compact, [line(t.accounts, "accounts")])}
      {chart(t.logins, compact, [line(t.loginsDone, "logins"), line(t.loginsFailed, "loginFailures")])}
      {chart(t.connections, compact, [line(t.open, "connections"), line(t.addresses, "addresses")])}
      {chart(t.latency, milliseconds, [
        measured(t.half, "deliveryP50Ms"),
        measured(t.slowest, "deliveryP99Ms"),
      ])}
      {chart(t.queue, compact, [line(t.waiting, "queue")])}
      {chart(
        t.traffic,
        size,
        trafficParts.map(([kind, series]) => line(texts.value.overview.trafficKinds[kind], ...series)),
      )}
      {chart(t.disk, size, [line(t.mail, "mailBytes")])}
      {chart(t.room, size, [line(t.diskFree, "diskFreeBytes")])}
      {chart(t.memory, size, [line(t.resident, "residentBytes")])}
    </div>
  );
}

/** The whole range in even steps, so that a relay that was away leaves a gap, and a new one most of it empty. */
function grid({ stepSec, points }: Answer, rangeSec: number) {
  const lastSec = points.at(-1)?.startedAtSec ?? 0;
  const steps = Math.floor(rangeSec / stepSec);
  const byStep = new Map(
    points.map((point) => [Math.round((lastSec - point.startedAtSec) / stepSec), point.sample]),
  );
  const indexes = Array.from({ length: steps }, (_, index) => steps - 1 - index);
  return {
    timesMs: indexes.map((back) => (lastSec - back * stepSec) * 1000),
    rows: indexes.map((back) => byStep.get(back)),
  };
}
