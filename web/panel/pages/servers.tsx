/** @jsxImportSource preact */
/** How it goes with each server that mail is exchanged with; what is wrong with one, asked now. */
import { useSignal } from "@preact/signals";
import type { InputOf, OutputOf } from "../../../src/operations/operations.ts";
import { call } from "../api.ts";
import { ago, compact, milliseconds, number } from "../format.ts";
import { useLoad } from "../load.ts";
import { Act } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Badge, type Tone } from "../parts/badge.tsx";
import { Choice } from "../parts/choice.tsx";
import { attempt } from "../parts/notes.tsx";
import { Search } from "../parts/search.tsx";
import { type Column, Pager, Table } from "../parts/table.tsx";
import { hrefOf, place, setQuery } from "../router.ts";
import { texts } from "../texts.ts";
import { ServerTest } from "./federation/server-test.tsx";

type Server = OutputOf<"federation.servers">["servers"][number];
type Health = Server["health"];

const LIMIT = 50;
const REFRESH_MS = 30_000;
const healths = ["perfect", "federated", "bad", "idle"] as const;
const sorts = ["active", "domain", "queued", "failures", "successes", "inbound", "latency"] as const;
const tones: Record<Health, Tone> = { perfect: "good", federated: "warn", bad: "bad", idle: "plain" };

export function Servers() {
  const t = texts.value.servers;
  const query = queryOf(place.value.query);
  const load = useLoad(
    `servers ${JSON.stringify(query)}`,
    () => call("federation.servers", query),
    REFRESH_MS,
  );
  const testing = useSignal<string | undefined>(undefined);
  const change = (values: Record<string, string>) => setQuery({ offset: undefined, ...values });
  return (
    <>
      <Traffic />
      <div class="toolbar">
        <Search
          label={texts.value.common.search}
          value={query.search ?? ""}
          onChange={(search) => change({ search })}
        />
        <Choice
          label={texts.value.accounts.show}
          options={{ all: t.all, ...t.healths }}
          value={query.health ?? "all"}
          onChange={(health) => change({ health: health === "all" ? "" : health })}
        />
        <Choice
          label={texts.value.common.sort}
          options={t.sorts}
          value={query.sort ?? "active"}
          onChange={(sort) => change({ sort: sort === "active" ? "" : sort })}
        />
        <form
          class="end inline"
          onSubmit={(event) => {
            event.preventDefault();
            const asked = new FormData(event.currentTarget).get("domain");
            if (typeof asked === "string" && asked.trim() !== "") testing.value = asked.trim();
          }}
        >
          <label class="field">
            {t.testAny}
            <input name="domain" dir="ltr" autocapitalize="none" spellcheck={false} required />
          </label>
          <button type="submit">{t.test}</button>
        </form>
      </div>
      <Answered load={load}>
        {({ servers, total, matching }) => (
          <>
            <p class="quiet">{texts.value.accounts.count(number(matching), number(total))}</p>
            <Table
              label={texts.value.nav.servers}
              rows={servers}
              keyOf={({ domain }) => domain}
              empty={total === 0 ? t.none : texts.value.common.nothingFound}
              columns={columns(load.reload, (domain) => (testing.value = domain))}
            />
            <Pager
              offset={query.offset ?? 0}
              limit={LIMIT}
              total={matching}
              onChange={(offset) => setQuery({ offset: offset === 0 ? undefined : String(offset) })}
            />
          </>
        )}
      </Answered>
      {testing.value === undefined ? null : (
        <ServerTest domain={testing.value} onClose={() => (testing.value = undefined)} />
      )}
    </>
  );
}

function Traffic() {
  const t = texts.value.servers;
  const load = useLoad("traffic", () => call("federation.traffic", {}), REFRESH_MS);
  return (
    <Answered load={load}>
      {({ inbound, outbound, queued, expired, meanLatencyMs, health }) => (
        <dl class="figures">
          {[
            [t.inbound, compact(inbound)],
            [t.outbound, compact(outbound)],
            [t.queued, compact(queued)],
            [t.failures, compact(expired)],
            [t.latency, outbound === 0 ? "–" : milliseconds(meanLatencyMs)],
            [t.health, `${number(health.perfect)} / ${number(health.federated)} / ${number(health.bad)}`],
          ].map(([title, text]) => (
            <div key={title}>
              <dt>{title}</dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
      )}
    </Answered>
  );
}

function columns(reload: () => Promise<void>, test: (domain: string) => void): Column<Server>[] {
  const t = texts.value.servers;
  const counts = (https: number, http: number, smtp: number) =>
    https + http + smtp === 0 ? "–" : `${number(https)} · ${number(http)} · ${number(smtp)}`;
  return [
    {
      title: t.domain,
      cell: ({ domain, hasRule, isDismissed }) => (
        <>
          <span dir="ltr">{domain}</span> {hasRule ? <Badge>{t.exception}</Badge> : null}{" "}
          {isDismissed ? <Badge tone="warn">{t.dismissed}</Badge> : null}
        </>
      ),
    },
    {
      title: t.state,
      cell: ({ health, lastError }) => (
        <>
          <Badge tone={tones[health]}>{t.healths[health]}</Badge>
          {lastError === "" || health === "perfect" ? null : (
            <small class="block quiet" dir="ltr">
              {lastError}
            </small>
          )}
        </>
      ),
    },
    { title: t.inbound, isNumber: true, cell: ({ inboundDeliveries }) => number(inboundDeliveries) },
    {
      title: t.outboundBy,
      isNumber: true,
      cell: ({ successHttps, successHttp, successSmtp }) => counts(successHttps, successHttp, successSmtp),
    },
    {
      title: t.failuresBy,
      isNumber: true,
      cell: ({ failedHttps, failedHttp, failedSmtp }) => counts(failedHttps, failedHttp, failedSmtp),
    },
    {
      title: t.queued,
      isNumber: true,
      cell: ({ queuedMessages, domain }) =>
        queuedMessages === 0 ? (
          "–"
        ) : (
          <a href={hrefOf(`/queue?domain=${encodeURIComponent(domain)}`)}>{number(queuedMessages)}</a>
        ),
    },
    {
      title: t.latency,
      isNumber: true,
      cell: ({ meanLatencyMs, successfulDeliveries }) =>
        successfulDeliveries === 0 ? "–" : milliseconds(meanLatencyMs),
    },
    {
      title: t.active,
      cell: ({ lastActiveSec }) =>
        lastActiveSec === 0 ? texts.value.common.never : ago(lastActiveSec * 1000),
    },
    {
      title: texts.value.common.actions,
      cell: ({ domain, hasRule }) => (
        <span class="buttons">
          <button type="button" aria-label={`${t.test}: ${domain}`} onClick={() => test(domain)}>
            {t.test}
          </button>
          <Act
            label={`${hasRule ? t.removeRule : t.addRule}: ${domain}`}
            onClick={() =>
              attempt(() =>
                hasRule
                  ? call("federation.rules.remove", { domain })
                  : call("federation.rules.add", { domain }),
              ).then(reload)
            }
          >
            {hasRule ? t.removeRule : t.addRule}
          </Act>
        </span>
      ),
    },
  ];
}

function queryOf(query: URLSearchParams): InputOf<"federation.servers"> {
  const health = healths.find((each) => each === query.get("health"));
  const sort = sorts.find((each) => each === query.get("sort")) ?? "active";
  return {
    search: query.get("search") ?? "",
    ...(health === undefined ? {} : { health }),
    sort,
    descending: sort !== "domain",
    offset: Math.max(0, Number.parseInt(query.get("offset") ?? "0", 10) || 0),
    limit: LIMIT,
  };
}
