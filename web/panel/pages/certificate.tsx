/** @jsxImportSource preact */
/** The certificate: for which names, until when, and asking for another. */
import { useSignal } from "@preact/signals";
import { call } from "../api.ts";
import { ago, moment, number } from "../format.ts";
import { useLoad } from "../load.ts";
import { Act } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Badge } from "../parts/badge.tsx";
import { attempt } from "../parts/notes.tsx";
import { texts } from "../texts.ts";

const REFRESH_MS = 10_000;
const HOUR_MS = 3_600_000;

export function Certificate() {
  const t = texts.value.certificate;
  const { common } = texts.value;
  const load = useLoad("certificate", () => call("certificates.status", {}), REFRESH_MS);
  const isAsking = useSignal(false);
  const renew = async (input: { force?: boolean; staging?: boolean }) => {
    isAsking.value = true;
    await attempt(() => call("certificates.renew", input), input.staging === true ? t.rehearsed : t.renewed);
    isAsking.value = false;
    await load.reload();
  };
  return (
    <Answered load={load}>
      {({
        names,
        fingerprint,
        trusted,
        notAfterMs,
        notBeforeMs,
        mode,
        hoursLeft,
        interim,
        acme,
        orderUnderWay,
      }) => (
        <>
          <section class="card">
            <p>
              <Badge tone={trusted ? "good" : "warn"}>{trusted ? t.trusted : t.notTrusted}</Badge>{" "}
              {interim ? <Badge tone="warn">{t.interim}</Badge> : null}{" "}
              {orderUnderWay ? <Badge>{t.underWay}</Badge> : null}
            </p>
            <dl class="facts">
              <Fact title={t.names} text={names.join(", ")} isCode />
              <Fact title={t.from} text={t.modes[mode]} />
              <Fact title={t.since} text={moment(notBeforeMs)} />
              <Fact
                title={t.until}
                text={`${moment(notAfterMs)} (${ago(Date.now() + hoursLeft * HOUR_MS)})`}
              />
              <Fact title={t.fingerprint} text={fingerprint} isCode />
            </dl>
          </section>
          {acme === null ? (
            <p class="quiet">{t.noAuthority}</p>
          ) : (
            <section class="card">
              <h2>{t.authority}</h2>
              <dl class="facts">
                <Fact title={t.directory} text={acme.directory} isCode />
                <Fact title={t.challenge} text={acme.challenge} isCode />
                <Fact title={t.renewal} text={acme.renewAtMs === null ? "–" : moment(acme.renewAtMs)} />
                <Fact
                  title={t.lastSuccess}
                  text={acme.lastSuccessMs === null ? common.never : moment(acme.lastSuccessMs)}
                />
                <Fact title={t.failures} text={number(acme.failures)} />
                {acme.leftOut.length === 0 ? null : (
                  <Fact title={t.leftOut} text={acme.leftOut.join(", ")} isCode />
                )}
              </dl>
              {acme.lastFailure === null ? null : (
                <p class="banner warn">
                  {t.lastFailure(ago(acme.lastFailure.atMs))}{" "}
                  <span dir="ltr">{acme.lastFailure.message}</span>
                </p>
              )}
              <div class="toolbar">
                <Act kind="primary" disabled={isAsking.value} onClick={() => renew({ force: true })}>
                  {t.renew}
                </Act>
                <Act disabled={isAsking.value} onClick={() => renew({ force: true, staging: true })}>
                  {t.rehearse}
                </Act>
              </div>
              <p class="quiet">{t.renewHint}</p>
            </section>
          )}
        </>
      )}
    </Answered>
  );
}

function Fact({ title, text, isCode = false }: { title: string; text: string; isCode?: boolean }) {
  return (
    <div>
      <dt>{title}</dt>
      <dd>{isCode ? <code dir="ltr">{text}</code> : text}</dd>
    </div>
  );
}
