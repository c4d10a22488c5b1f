/** @jsxImportSource preact */
/** At a glance: does all go well, what needs a look, how much there is, and how it was. */
import { call } from "../api.ts";
import { ago, compact, milliseconds, number, percent, size } from "../format.ts";
import { useLoad } from "../load.ts";
import { Answered } from "../parts/answered.tsx";
import { Meter } from "../parts/meter.tsx";
import { hrefOf } from "../router.ts";
import { texts } from "../texts.ts";
import { issuesOf } from "./overview/issues.ts";
import { History } from "./overview/history.tsx";

const REFRESH_MS = 15_000;

export function Overview() {
  const load = useLoad("overview", askAll, REFRESH_MS);
  return (
    <>
      <Answered load={load}>
        {(data) => (
          <>
            <State data={data} />
            <Figures data={data} />
          </>
        )}
      </Answered>
      <History />
    </>
  );
}

export type Glance = Awaited<ReturnType<typeof askAll>>;

async function askAll() {
  const [status, storage, figures, queue, traffic, certificate, services] = await Promise.all([
    call("relay.status", {}),
    call("storage.figures", {}),
    call("metrics.figures", {}),
    call("queue.status", {}),
    call("federation.traffic", {}),
    call("certificates.status", {}),
    call("services.get", {}),
  ]);
  return { status, storage, figures, queue, traffic, certificate, services };
}

function State({ data }: { data: Glance }) {
  const t = texts.value.overview;
  const issues = issuesOf(data);
  const { status } = data;
  const isNew = (status.messages["sent_messages"] ?? 0) === 0;
  return (
    <>
      <p class="quiet">
        <bdi>{status.domains.join(", ")}</bdi> ·{" "}
        {status.startedAtMs === null ? "–" : t.running(ago(status.startedAtMs))}
      </p>
      {isNew ? (
        <p class="banner">
          {t.firstSteps} <a href={hrefOf("/setup")}>{t.toSetup}</a>
        </p>
      ) : null}
      {issues.length === 0 ? (
        <p class="banner well">{t.well}</p>
      ) : (
        <section class="banner warn" aria-labelledby="attention">
          <h2 id="attention">{t.attention}</h2>
          <ul>
            {issues.map(({ text, path, isBad }) => (
              <li key={text} class={isBad ? "bad" : undefined}>
                <a href={hrefOf(path)}>{text}</a>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function Figures({ data: { status, storage, figures, queue } }: { data: Glance }) {
  const t = texts.value.overview;
  const { disk } = storage;
  const open = Object.values(status.connections).reduce((sum, each) => sum + each.connections, 0);
  const used = disk === null ? 0 : disk.totalBytes - disk.freeBytes;
  return (
    <dl class="figures">
      <Figure
        title={t.accounts}
        text={compact(status.accounts)}
        exact={number(status.accounts)}
        path="/accounts"
      />
      {Object.entries(t.counters).map(([name, title]) => {
        const value = status.messages[name] ?? 0;
        return <Figure key={name} title={title} text={compact(value)} exact={number(value)} />;
      })}
      <Figure title={t.connections} text={number(open)} />
      <Figure title={t.queue} text={compact(queue.messages)} exact={number(queue.messages)} path="/queue" />
      <Figure
        title={t.latency}
        text={
          figures.delivery.count === 0
            ? "–"
            : `${milliseconds(figures.delivery.p50Ms)} / ${milliseconds(figures.delivery.p99Ms)}`
        }
      />
      {disk === null ? null : (
        <div>
          <dt>{t.disk}</dt>
          <dd>
            <a href={hrefOf("/care")}>{percent(used / disk.totalBytes)}</a>
            <Meter
              label={t.disk}
              text={`${size(used)} / ${size(disk.totalBytes)}`}
              share={used / disk.totalBytes}
            />
          </dd>
        </div>
      )}
    </dl>
  );
}

function Figure({
  title,
  text,
  exact,
  path,
}: {
  title: string;
  text: string;
  exact?: string;
  path?: string;
}) {
  return (
    <div>
      <dt>{title}</dt>
      <dd title={exact}>{path === undefined ? text : <a href={hrefOf(path)}>{text}</a>}</dd>
    </div>
  );
}
