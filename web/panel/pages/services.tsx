/** @jsxImportSource preact */
/** What the relay does beside mail: on or off, and what it does now. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { InputOf, OutputOf } from "../../../src/operations/operations.ts";
import { call } from "../api.ts";
import { number } from "../format.ts";
import { useLoad } from "../load.ts";
import { Changes, mayChange, Switch } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Badge } from "../parts/badge.tsx";
import { Choice } from "../parts/choice.tsx";
import { Copied } from "../parts/copy.tsx";
import { Confirm } from "../parts/dialog.tsx";
import { attempt, note } from "../parts/notes.tsx";
import { Qr } from "../parts/qr.tsx";
import { changes } from "../pending-banner.tsx";
import { hrefOf } from "../router.ts";
import { texts } from "../texts.ts";

type Facts = OutputOf<"services.get">;
type Service = InputOf<"services.set">["service"];
type Set = (service: Service, state: boolean | "auto") => Promise<unknown>;

const REFRESH_MS = 15_000;

export function Services() {
  const load = useLoad("services", () => call("services.get", {}), REFRESH_MS);
  const asked = useSignal<Service | undefined>(undefined);
  const setNow: Set = async (service, state) => {
    const wanted = state === "auto" ? "auto" : state ? "on" : "off";
    await attempt(async () => {
      const { notices } = await call("services.set", { service, state: wanted });
      for (const each of notices) note("bad", each);
    });
    changes.value++;
    await load.reload();
  };
  const set: Set = async (service, state) => {
    const isGrave =
      (service === "openRelay" && state === true) || (service === "adminWeb" && state === false);
    if (isGrave) asked.value = service;
    else await setNow(service, state);
  };
  return (
    <Answered load={load}>
      {(facts) => (
        <>
          <OpenRelay facts={facts} set={set} />
          <div class="cards">
            <Turn facts={facts} set={set} />
            <Iroh facts={facts} set={set} />
            <Push facts={facts} set={set} />
            <BrowserMail facts={facts} set={set} />
            <Proxy facts={facts} set={set} />
            <AdminWeb facts={facts} set={set} />
          </div>
          {asked.value === undefined ? null : (
            <Grave
              service={asked.value}
              onConfirm={() => setNow(asked.value ?? "openRelay", asked.value === "openRelay")}
              onClose={() => (asked.value = undefined)}
            />
          )}
        </>
      )}
    </Answered>
  );
}

interface CardProps {
  facts: Facts;
  set: Set;
}

function Card({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="card service">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Numbers({ rows }: { rows: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {rows.map(([title, text]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

function Turn({ facts: { turn }, set }: CardProps) {
  const t = texts.value.services;
  return (
    <Card title={t.turn}>
      <Switch label={t.isOn} hint={t.turnHint} isOn={turn.enabled} onChange={(is) => set("turn", is)} />
      <Numbers
        rows={[
          [t.callsNow, number(turn.allocations)],
          [t.advertised, turn.advertised ? texts.value.common.yes : texts.value.common.no],
          ...(turn.ending > 0 ? [[t.ending, number(turn.ending)] as const] : []),
        ]}
      />
    </Card>
  );
}

function Iroh({ facts: { iroh }, set }: CardProps) {
  const t = texts.value.services;
  return (
    <Card title={t.iroh}>
      <Switch label={t.isOn} hint={t.irohHint} isOn={iroh.enabled} onChange={(is) => set("iroh", is)} />
      <Numbers
        rows={[
          [t.endpointsNow, number(iroh.endpoints)],
          ...(iroh.url === null ? [] : [[t.url, <code dir="ltr">{iroh.url}</code>] as const]),
        ]}
      />
    </Card>
  );
}

function Push({ facts: { push }, set }: CardProps) {
  const t = texts.value.services;
  return (
    <Card title={t.push}>
      <p class="quiet">{t.pushHint(push.restsAfter)}</p>
      {mayChange() ? (
        <Choice
          label={t.mode}
          options={t.pushModes}
          value={push.mode}
          onChange={(mode) => set("push", mode === "auto" ? "auto" : mode === "on")}
        />
      ) : (
        <p>{t.pushModes[push.mode]}</p>
      )}
      {push.resting ? (
        <p>
          <Badge tone="warn">{t.resting}</Badge>
        </p>
      ) : null}
      <Numbers
        rows={[
          [t.sent, number(push.sent)],
          [t.waiting, number(push.pending)],
          [t.failures, number(push.consecutiveFailures)],
        ]}
      />
    </Card>
  );
}

function BrowserMail({ facts: { webimap, websmtp, webmailCorsOrigins }, set }: CardProps) {
  const t = texts.value.services;
  return (
    <Card title={t.browserMail}>
      <Switch
        label="WebIMAP"
        hint={t.webimapHint}
        isOn={webimap.enabled}
        onChange={(is) => set("webimap", is)}
      />
      <Switch
        label="WebSMTP"
        hint={t.websmtpHint}
        isOn={websmtp.enabled}
        onChange={(is) => set("websmtp", is)}
      />
      <Numbers rows={[[t.origins, webmailCorsOrigins.join(", ") || t.ownOnly]]} />
      <p>
        <a href={hrefOf("/settings?search=cors")}>{t.changeOrigins}</a>
      </p>
    </Card>
  );
}

function Proxy({ facts: { shadowsocks }, set }: CardProps) {
  const t = texts.value.services;
  const { enabled, cipher, link, connections, addresses } = shadowsocks;
  return (
    <Card title="Shadowsocks">
      <Switch label={t.isOn} hint={t.proxyHint} isOn={enabled} onChange={(is) => set("shadowsocks", is)} />
      <Numbers
        rows={[
          [t.cipher, <code dir="ltr">{cipher}</code>],
          [t.connections, t.from(number(connections), number(addresses))],
        ]}
      />
      {enabled && link !== null ? (
        <Changes>
          <details>
            <summary>{t.showLink}</summary>
            <div class="made">
              <Qr text={link} label={t.proxyQr} />
              <Copied text={link} label={t.link} />
            </div>
          </details>
        </Changes>
      ) : null}
      <p>
        <a href={hrefOf("/settings?search=ss_")}>{t.changeProxy}</a>
      </p>
    </Card>
  );
}

function AdminWeb({ facts: { adminWeb, adminApi }, set }: CardProps) {
  const t = texts.value.services;
  return (
    <Card title={t.adminWeb}>
      <Switch
        label={t.isOn}
        hint={t.adminWebHint}
        isOn={adminWeb.enabled}
        onChange={(is) => set("adminWeb", is)}
      />
      <Numbers
        rows={[
          [t.panelPath, <code dir="ltr">{adminWeb.path}</code>],
          [t.apiPath, <code dir="ltr">{adminApi.path}</code>],
        ]}
      />
    </Card>
  );
}

/** Off it is one quiet line; on, it cannot be overlooked. */
function OpenRelay({ facts: { openRelay }, set }: CardProps) {
  const t = texts.value.services;
  return (
    <section class={openRelay.enabled ? "banner bad" : "card"}>
      {openRelay.enabled ? <p class="bad">{t.openRelayWarning}</p> : null}
      <Switch
        label={t.openRelay}
        hint={t.openRelayHint}
        isOn={openRelay.enabled}
        onChange={(is) => set("openRelay", is)}
      />
    </section>
  );
}

interface GraveProps {
  service: Service;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

function Grave({ service, onConfirm, onClose }: GraveProps) {
  const t = texts.value.services;
  const isOpenRelay = service === "openRelay";
  return (
    <Confirm
      title={isOpenRelay ? t.openRelayTitle : t.adminWebTitle}
      action={isOpenRelay ? t.openRelayAction : t.adminWebAction}
      word={isOpenRelay ? "open" : "off"}
      onConfirm={onConfirm}
      onClose={onClose}
    >
      <p class="bad">{isOpenRelay ? t.openRelayWarning : texts.value.settings.dangers.admin_web_enabled}</p>
    </Confirm>
  );
}
