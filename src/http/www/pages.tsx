/** @jsxImportSource hono/jsx */
/** The pages that explain: this relay, privacy, security, help, running one's own. */
import type { Child, FC } from "hono/jsx";
import { hostOf } from "../../core/address.ts";
import type { RegistrationStatus, SiteFacts } from "../facts.ts";
import { formatBytes, formatDays } from "./format.ts";
import { Frame, link, type Place, page } from "./frame.tsx";
import { Opening, ProseSections, ServerTable } from "./parts.tsx";
import type { Prose } from "./texts.ts";

const HTTPS_PORT = 443;

export interface PageProps {
  place: Place;
  facts: SiteFacts;
  status: RegistrationStatus;
}

export function infoPage({ place, facts, status }: PageProps) {
  const { texts } = place;
  const { info } = texts;
  const rows: [name: string, value: string][] = [
    [info.domain, hostOf(facts.domain)],
    [info.registration, info.registrationState[status]],
    [info.messageSize, formatBytes(texts, facts.messageMaxBytes)],
    [info.quota, facts.quotaBytes === 0 ? info.unlimited : formatBytes(texts, facts.quotaBytes)],
    [info.retention, retention({ place, facts, status })],
    [info.encryption, info.encryptionOnly],
    [info.certificate, facts.trusted ? info.trusted : info.ownCertificate],
  ];
  return page(
    <Frame place={place} facts={facts} title={info.title} description={info.lead}>
      <Opening title={info.title} lead={info.lead} />
      <dl class="facts card">
        {rows.map(([name, value]) => (
          <div>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <section class="prose">
        <h2>{info.serversTitle}</h2>
        <p>{info.serversLead}</p>
        <ServerTable texts={texts} host={facts.host} ports={facts.ports} />
      </section>
    </Frame>,
  );
}

export function privacyPage({ place, facts }: PageProps) {
  return <ProsePage place={place} facts={facts} prose={place.texts.privacy} />;
}

export function securityPage({ place, facts }: PageProps) {
  const { security } = place.texts;
  const { securityContact } = facts;
  return (
    <ProsePage place={place} facts={facts} prose={security}>
      {securityContact !== undefined && (
        <p>
          {security.report} <a href={securityContact}>{securityContact.replace(/^mailto:/, "")}</a>
        </p>
      )}
    </ProsePage>
  );
}

export function docsPage({ place, facts, status }: PageProps) {
  const { texts } = place;
  const { docs } = texts;
  return (
    <ProsePage place={place} facts={facts} prose={docs}>
      <section class="prose" id="other">
        <h2>{docs.otherTitle}</h2>
        {docs.other.map((paragraph) => (
          <p>{paragraph}</p>
        ))}
        <ServerTable texts={texts} host={facts.host} ports={facts.ports} />
        {status === "open" && (
          <form method="post" action={link(place, "/new")} data-busy={texts.home.busy}>
            <button class="quiet" type="submit">
              {docs.plainAccount}
            </button>
          </form>
        )}
      </section>
    </ProsePage>
  );
}

export function deployPage({ place, facts }: PageProps) {
  const { deploy } = place.texts;
  const commands = [
    `curl ${facts.trusted ? "" : "-k "}-O ${originOf(facts)}/madmail`,
    "chmod +x madmail",
    "sudo mkdir -p /etc/madmail",
    "./madmail config sample | sudo tee /etc/madmail/madmail.toml",
    "sudo ./madmail run",
  ];
  return (
    <ProsePage place={place} facts={facts} prose={deploy}>
      {facts.download && (
        <section class="prose">
          <h2>{deploy.downloadTitle}</h2>
          <p>{deploy.downloadLead}</p>
          <pre dir="ltr" tabindex={0}>
            <code>{commands.join("\n")}</code>
          </pre>
          <p>
            <a class="quiet" href="/madmail" download>
              {deploy.downloadLink}
            </a>
          </p>
        </section>
      )}
    </ProsePage>
  );
}

const ProsePage: FC<{ place: Place; facts: SiteFacts; prose: Prose; children?: Child }> = (props) =>
  page(
    <Frame place={props.place} facts={props.facts} title={props.prose.title} description={props.prose.lead}>
      <Opening title={props.prose.title} lead={props.prose.lead} />
      <ProseSections prose={props.prose} />
      {props.children}
    </Frame>,
  );

function retention({ place: { texts }, facts: { retentionDays } }: PageProps): string {
  return retentionDays === undefined
    ? texts.info.untilFetched
    : texts.info.days(formatDays(texts, retentionDays));
}

function originOf({ host, ports }: SiteFacts): string {
  const bare = host.includes(":") ? `[${host}]` : host;
  if (ports.https === undefined) return `http://${bare}`;
  return ports.https === HTTPS_PORT ? `https://${bare}` : `https://${bare}:${ports.https}`;
}
