/** @jsxImportSource hono/jsx */
/** Pieces that several pages are made of. */
import { raw } from "hono/html";
import type { Child, FC } from "hono/jsx";
import type { ServicePorts } from "../links.ts";
import type { Prose, Section, Texts } from "./texts.ts";

/** Where the clients are to be had. Links only: nothing is loaded from there. */
const stores: readonly [name: string, url: string][] = [
  ["F-Droid", "https://f-droid.org/packages/com.b44t.messenger/"],
  ["Google Play", "https://play.google.com/store/apps/details?id=com.b44t.messenger"],
  ["App Store", "https://apps.apple.com/app/delta-chat/id1459523234"],
];
const ALL_CLIENTS_URL = "https://get.delta.chat/";

/** The head of a page beside its start: title and what it is about. */
export const Opening: FC<{ title: string; lead: string }> = ({ title, lead }) => (
  <div class="opening">
    <h1>{title}</h1>
    <p class="lead">{lead}</p>
  </div>
);

export const Code: FC<{ svg: string; caption?: string }> = ({ svg, caption }) => (
  <figure class="qr">
    {raw(svg)}
    {caption !== undefined && <figcaption>{caption}</figcaption>}
  </figure>
);

/** Shows itself where there is JavaScript. */
export const CopyButton: FC<{ texts: Texts; text: string; name: string }> = ({ texts, text, name }) => (
  <button class="quiet" type="button" hidden data-copy={text} data-done={texts.home.copied}>
    {name}
  </button>
);

export const Stores: FC<{ texts: Texts }> = ({ texts }) => (
  <section class="stores" id="app" aria-labelledby="app-title">
    <h2 id="app-title">{texts.home.getApp}</h2>
    <p>{texts.home.getAppLead}</p>
    <ul>
      {stores.map(([name, url]) => (
        <li>
          <a class="quiet" href={url} rel="noreferrer">
            <bdi>{name}</bdi>
          </a>
        </li>
      ))}
      <li>
        <a class="quiet" href={ALL_CLIENTS_URL} rel="noreferrer">
          {texts.home.otherSystems}
        </a>
      </li>
    </ul>
  </section>
);

export const ProxyCard: FC<{ texts: Texts; link: string; qrSvg: string }> = ({ texts, link, qrSvg }) => (
  <section class="card" aria-labelledby="proxy">
    <h2 id="proxy">{texts.proxy.title}</h2>
    <p>{texts.proxy.lead}</p>
    <p class="actions">
      <a class="quiet" href={link}>
        {texts.proxy.button}
      </a>
      <CopyButton texts={texts} text={link} name={texts.home.copyLink} />
    </p>
    <details>
      <summary>{texts.proxy.qrLabel}</summary>
      <Code svg={qrSvg} />
    </details>
  </section>
);

export const ProseSections: FC<{ prose: Prose }> = ({ prose }) => (
  <>{prose.sections.map((section) => proseSection(section))}</>
);

function proseSection({ title, text, list }: Section): Child {
  return (
    <section class="prose">
      <h2>{title}</h2>
      {text.map((paragraph) => (
        <p>{paragraph}</p>
      ))}
      {list !== undefined && (
        <ul>
          {list.map((item) => (
            <li>{item}</li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** What other mail programs ask for. Only what listens; port 443 last, for networks that allow nothing else. */
export const ServerTable: FC<{ texts: Texts; host: string; ports: ServicePorts }> = (props) => {
  const { texts, host, ports } = props;
  const { servers } = texts;
  const rows: [service: string, port: number | undefined, security: string][] = [
    [servers.incoming, ports.imaps, "TLS"],
    [servers.incoming, ports.imap, "STARTTLS"],
    [servers.outgoing, ports.submissions, "TLS"],
    [servers.outgoing, ports.submission, "STARTTLS"],
  ];
  return (
    <>
      <div class="table" role="region" aria-label={texts.info.serversTitle} tabindex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">{servers.service}</th>
              <th scope="col">{servers.host}</th>
              <th scope="col">{servers.port}</th>
              <th scope="col">{servers.security}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(
              ([service, port, security]) =>
                port !== undefined && (
                  <tr>
                    <th scope="row">{service}</th>
                    <td>
                      <code>{host}</code>
                    </td>
                    <td>
                      <code>{port}</code>
                    </td>
                    <td>{security}</td>
                  </tr>
                ),
            )}
          </tbody>
        </table>
      </div>
      <p>{servers.user}</p>
    </>
  );
};
