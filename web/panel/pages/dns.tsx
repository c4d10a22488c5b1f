/** @jsxImportSource preact */
/** The DNS records to publish, ready to copy, and what the DNS says now. */
import type { OutputOf } from "../../../src/operations/operations.ts";
import { call } from "../api.ts";
import { useLoad } from "../load.ts";
import { Answered } from "../parts/answered.tsx";
import { Badge, type Tone } from "../parts/badge.tsx";
import { Copy } from "../parts/copy.tsx";
import { saveFile } from "../save-file.ts";
import { texts } from "../texts.ts";

type DnsRecord = OutputOf<"dns.check">["records"][number];

const tones: Record<DnsRecord["state"], Tone> = {
  ok: "good",
  missing: "bad",
  different: "bad",
  trouble: "warn",
  unchecked: "plain",
};

export function Dns() {
  const t = texts.value.dns;
  const load = useLoad("dns", () => call("dns.check", {}));
  return (
    <Answered load={load}>
      {({ ok, records }) =>
        records.length === 0 ? (
          <p class="banner">{t.onlyAddress}</p>
        ) : (
          <>
            <p class={ok ? "banner well" : "banner warn"}>{ok ? t.ok : t.lacking}</p>
            <div class="toolbar">
              <button type="button" onClick={() => void load.reload()}>
                {t.again}
              </button>
              <button
                type="button"
                onClick={() =>
                  saveFile("zone.txt", "text/plain", `${records.map(({ line }) => line).join("\n")}\n`)
                }
              >
                {t.zoneFile}
              </button>
            </div>
            <ul class="records">
              {records.map((record) => (
                <RecordItem key={`${record.name} ${record.type} ${record.value}`} record={record} />
              ))}
            </ul>
          </>
        )
      }
    </Answered>
  );
}

function RecordItem({ record }: { record: DnsRecord }) {
  const t = texts.value.dns;
  const { name, type, value, need, why, state, found } = record;
  const tone =
    need === "required" || state === "ok" ? tones[state] : tones[state] === "bad" ? "warn" : tones[state];
  return (
    <li class="card record">
      <p class="split">
        <span>
          <Badge tone={tone}>{t.states[state]}</Badge> <strong>{type}</strong>{" "}
          <code dir="ltr">{name.replace(/\.$/, "")}</code>
        </span>
        <span class="quiet">{t.needs[need]}</span>
      </p>
      {value === null ? (
        <p class="quiet">{t.yourAddress}</p>
      ) : (
        <div class="copied">
          <code dir="ltr">{value}</code>
          <Copy text={value} label={`${type} ${name}`} />
        </div>
      )}
      {found.length === 0 ? null : (
        <p>
          {t.found} <code dir="ltr">{found.join(" · ")}</code>
        </p>
      )}
      <small class="quiet" lang="en" dir="ltr">
        {why}
      </small>
    </li>
  );
}
