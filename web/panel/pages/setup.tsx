/** @jsxImportSource preact */
/** From a fresh relay to the first message: what is done, and what to do next. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { call } from "../api.ts";
import { ago, number } from "../format.ts";
import { useLoad } from "../load.ts";
import { Act } from "../parts/act.tsx";
import { Answered } from "../parts/answered.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { attempt } from "../parts/notes.tsx";
import { Qr } from "../parts/qr.tsx";
import { hrefOf } from "../router.ts";
import { texts } from "../texts.ts";
import { type Made, NewAccount } from "./accounts/new-account.tsx";
import { TestReport } from "./federation/server-test.tsx";

const REFRESH_MS = 5000;
const HOUR_MS = 3_600_000;

export function Setup() {
  const t = texts.value.setup;
  const dns = useLoad("setup dns", () => call("dns.check", {}));
  const load = useLoad("setup", askAll, REFRESH_MS);
  return (
    <>
      <p class="quiet">{t.lead}</p>
      <Answered load={load}>
        {(facts) => (
          <ol class="steps">
            <DnsStep state={dns.state.value.data} />
            <CertificateStep facts={facts} />
            <PortsStep facts={facts} />
            <AccountStep facts={facts} reload={load.reload} />
            <MessageStep facts={facts} />
            <InviteStep facts={facts} />
          </ol>
        )}
      </Answered>
    </>
  );
}

type Facts = Awaited<ReturnType<typeof askAll>>;

async function askAll() {
  const [status, certificate, ports, accounts, registration] = await Promise.all([
    call("relay.status", {}),
    call("certificates.status", {}),
    call("ports.list", {}),
    call("accounts.status", {}),
    call("registration.get", {}),
  ]);
  return { status, certificate, ports, accounts, registration };
}

interface StepProps {
  title: string;
  /** Undefined while nobody knows. */
  isDone: boolean | undefined;
  children: ComponentChildren;
}

function Step({ title, isDone, children }: StepProps) {
  const t = texts.value.setup;
  const state = isDone === undefined ? "" : isDone ? "done" : "open";
  return (
    <li class={`card step ${state}`}>
      <h2>
        {title} <small>{isDone === undefined ? texts.value.common.loading : isDone ? t.done : t.open}</small>
      </h2>
      {children}
    </li>
  );
}

function DnsStep({
  state,
}: {
  state: { ok: boolean; records: readonly { need: string; state: string }[] } | undefined;
}) {
  const t = texts.value.setup;
  const lacking =
    state?.records.filter((record) => record.need === "required" && record.state !== "ok").length ?? 0;
  return (
    <Step
      title={t.dnsTitle}
      isDone={state?.ok === true || state?.records.length === 0 || (state === undefined ? undefined : false)}
    >
      <p>
        {state?.records.length === 0
          ? texts.value.dns.onlyAddress
          : lacking === 0
            ? t.dnsDone
            : t.dnsOpen(lacking)}{" "}
        <a href={hrefOf("/setup/dns")}>{t.dnsLink}</a>
      </p>
    </Step>
  );
}

function CertificateStep({ facts: { certificate } }: { facts: Facts }) {
  const t = texts.value.setup;
  const { trusted, interim, hoursLeft } = certificate;
  return (
    <Step title={t.certificateTitle} isDone={trusted && !interim && hoursLeft > 0}>
      <p>
        {trusted ? t.certificateDone(ago(Date.now() + hoursLeft * HOUR_MS)) : t.certificateOpen}{" "}
        <a href={hrefOf("/setup/certificate")}>{t.certificateLink}</a>
      </p>
    </Step>
  );
}

function PortsStep({ facts: { status, ports } }: { facts: Facts }) {
  const t = texts.value.setup;
  const isTesting = useSignal(false);
  const needed = ports.ports.filter(({ service }) =>
    ["smtp", "https", "imap-tls", "submission-tls"].includes(service),
  );
  const missing = needed.filter(({ bound, access }) => bound.length === 0 || access !== "public");
  const domain = status.domains[0] ?? status.hostname;
  return (
    <Step title={t.portsTitle} isDone={missing.length === 0}>
      <p>
        {missing.length === 0
          ? t.portsDone
          : t.portsOpen(missing.map(({ service }) => texts.value.ports.names[service]).join(", "))}{" "}
        <a href={hrefOf("/services/ports")}>{t.portsLink}</a>
      </p>
      <p class="quiet">{t.portsTest}</p>
      <button type="button" onClick={() => (isTesting.value = true)}>
        {t.portsTestAction}
      </button>
      {isTesting.value ? (
        <Dialog title={t.portsTestAction} onClose={() => (isTesting.value = false)}>
          <TestReport domain={domain} />
        </Dialog>
      ) : null}
    </Step>
  );
}

function AccountStep({ facts: { accounts }, reload }: { facts: Facts; reload: () => Promise<void> }) {
  const t = texts.value.setup;
  const made = useSignal<Made | undefined>(undefined);
  const create = () =>
    attempt(async () => {
      made.value = await call("accounts.createRandom", {});
    }, texts.value.accounts.madeTitle).then(reload);
  return (
    <Step title={t.accountTitle} isDone={accounts.accounts - accounts.unused > 0}>
      <p>
        {accounts.accounts > 0
          ? t.accountDone(number(accounts.accounts), number(accounts.unused))
          : t.accountOpen}
      </p>
      <Act kind={accounts.accounts === 0 ? "primary" : undefined} onClick={create}>
        {t.accountAction}
      </Act>
      {made.value === undefined ? null : (
        <Dialog title={texts.value.accounts.madeTitle} onClose={() => (made.value = undefined)}>
          <NewAccount made={made.value} />
        </Dialog>
      )}
    </Step>
  );
}

function MessageStep({ facts: { status } }: { facts: Facts }) {
  const t = texts.value.setup;
  const sent = status.messages["sent_messages"] ?? 0;
  return (
    <Step title={t.messageTitle} isDone={sent > 0}>
      <p>{sent > 0 ? t.messageDone(number(sent)) : t.messageOpen}</p>
    </Step>
  );
}

function InviteStep({ facts: { registration } }: { facts: Facts }) {
  const t = texts.value.setup;
  const { open, tokenRequired } = registration;
  return (
    <Step title={t.inviteTitle} isDone={open}>
      <p>
        {open ? (tokenRequired ? t.inviteTokens : t.inviteOpen) : t.inviteClosed}{" "}
        <a href={hrefOf("/invites")}>{t.inviteLink}</a>
      </p>
      <p class="quiet">{t.siteText}</p>
      <div class="site">
        <Qr text={`${location.origin}/`} label={t.siteQr} />
        <a href="/" target="_blank" rel="noopener">
          {location.origin}
        </a>
      </div>
    </Step>
  );
}
