/** @jsxImportSource preact */
/** What DNS, HTTPS and SMTP of a server say now, step by step, so that the broken one is seen. */
import type { OutputOf } from "../../../../src/operations/operations.ts";
import { call } from "../../api.ts";
import { milliseconds } from "../../format.ts";
import { useLoad } from "../../load.ts";
import { Answered } from "../../parts/answered.tsx";
import { Badge } from "../../parts/badge.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { texts } from "../../texts.ts";

type Report = OutputOf<"federation.test">;

export function ServerTest({ domain, onClose }: { domain: string; onClose: () => void }) {
  const t = texts.value.serverTest;
  return (
    <Dialog title={t.title(domain)} onClose={onClose}>
      <TestReport domain={domain} />
    </Dialog>
  );
}

export function TestReport({ domain }: { domain: string }) {
  const t = texts.value.serverTest;
  const load = useLoad(`test ${domain}`, () => call("federation.test", { domain }));
  if (load.state.value.isLoading) return <p class="loading">{t.asking}</p>;
  return (
    <>
      <Answered load={load}>{(report) => <Report report={report} />}</Answered>
      <p>
        <button type="button" onClick={() => void load.reload()}>
          {t.again}
        </button>
      </p>
    </>
  );
}

function Report({ report }: { report: Report }) {
  const t = texts.value.serverTest;
  const { works, allowed, override, mx, mtaSts, hosts } = report;
  return (
    <>
      <p class={works && allowed ? "banner" : "banner bad"}>
        {works ? t.works : t.fails} {allowed ? "" : t.notAllowed}
      </p>
      <dl class="facts">
        {override === null ? null : <Fact title={t.override} text={override} />}
        <Fact title="MX" text={mx.hosts.join(", ") || mx.why} />
        <Fact title="MTA-STS" text={mtaSts ?? "–"} />
      </dl>
      {hosts.map(({ host, addresses, why, ways }) => (
        <section key={host}>
          <h3 dir="ltr">{host}</h3>
          <p class="quiet" dir="ltr">
            {addresses.join(", ") || why}
          </p>
          <ul class="ways">
            {ways.map(({ route, port, works: goes, said, tls, certificate, ms }) => (
              <li key={route}>
                <Badge tone={goes ? "good" : "bad"}>
                  {route.toUpperCase()} {port}
                </Badge>{" "}
                <span dir="ltr">{said}</span>
                <small class="block quiet">
                  {t.tls[tls]} · {milliseconds(ms)}
                  {certificate === null
                    ? ""
                    : ` · ${t.certificate(certificate.names.join(", "), certificate.issuer, certificate.notAfter)}`}
                </small>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function Fact({ title, text }: { title: string; text: string }) {
  return (
    <div>
      <dt>{title}</dt>
      <dd dir="ltr">{text}</dd>
    </div>
  );
}
