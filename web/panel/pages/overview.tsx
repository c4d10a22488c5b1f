/** @jsxImportSource preact */
/** At a glance: does it run, for how many, since when. */
import { call } from "../api.ts";
import { ago, number } from "../format.ts";
import { useLoad } from "../load.ts";
import { Answered } from "../parts/answered.tsx";
import { texts } from "../texts.ts";

const REFRESH_MS = 10_000;

export function Overview() {
  const t = texts.value;
  const status = useLoad("status", () => call("relay.status", {}), REFRESH_MS);
  return (
    <Answered load={status}>
      {(data) => (
        <dl class="figures">
          <div>
            <dt>{t.overview.accounts}</dt>
            <dd>{number(data.accounts)}</dd>
          </div>
          <div>
            <dt>{t.overview.running}</dt>
            <dd>{data.startedAtMs === null ? t.common.no : ago(data.startedAtMs)}</dd>
          </div>
          {Object.entries(t.overview.counters).map(([name, title]) => (
            <div key={name}>
              <dt>{title}</dt>
              <dd>{number(data.messages[name] ?? 0)}</dd>
            </div>
          ))}
        </dl>
      )}
    </Answered>
  );
}
