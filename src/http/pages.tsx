/** @jsxImportSource hono/jsx */
/**
 * The pages of the public site, rendered here and complete without JavaScript. They load nothing but the icon, from
 * this very relay; the style sheet stands in the page, named by its hash in the Content-Security-Policy.
 */
import { html, raw } from "hono/html";
import type { Child, FC } from "hono/jsx";
import css from "../../web/site.css" with { type: "text" };
import { type Address, type Domain, hostOf } from "../core/address.ts";
import { MIB } from "../core/limits.ts";
import type { Texts } from "./texts.ts";

const CLIENT_URL = "https://get.delta.chat/";

/** What the style sheet's element holds, to the byte: its hash is in the policy. */
export const styleSheet: string = css;

export interface AboutFacts {
  domain: Domain;
  /** The way in for those whose network blocks the relay; absent while there is none, or none for everybody. */
  proxy?: { link: string; qrSvg: string } | undefined;
  /** Bytes. */
  messageMaxBytes: number;
  /** Bytes; 0 is unlimited. */
  quotaBytes: number;
}

/** How somebody gets an account, as the landing page offers it. */
export type Offer =
  /** The client makes the account when it opens the link. */
  | { kind: "link"; href: string; qrSvg: string }
  /** A form makes it; for relays whose certificate clients don't trust by themselves. */
  | { kind: "form"; token: string | undefined }
  /** First a token is needed. `action` is where the form leads. */
  | { kind: "token"; action: "/" | "/new" }
  | { kind: "closed" };

export interface NewAccountFacts {
  domain: Domain;
  address: Address;
  password: string;
  loginLink: string;
  qrSvg: string;
  trusted: boolean;
}

export function landingPage(texts: Texts, about: AboutFacts, offer: Offer) {
  return page(
    <Frame texts={texts} domain={about.domain}>
      <OfferCard texts={texts} offer={offer} />
      {about.proxy !== undefined && <ProxyCard texts={texts} {...about.proxy} />}
      <section class="card" aria-labelledby="about">
        <h2 id="about">{texts.aboutTitle}</h2>
        <ul>
          <li>{texts.aboutEncrypted}</li>
          <li>{texts.aboutAnonymous}</li>
          <li>{texts.aboutSize(formatBytes(about.messageMaxBytes))}</li>
          {about.quotaBytes > 0 && <li>{texts.aboutQuota(formatBytes(about.quotaBytes))}</li>}
        </ul>
      </section>
    </Frame>,
  );
}

export function accountPage(texts: Texts, account: NewAccountFacts) {
  return page(
    <Frame texts={texts} domain={account.domain} title={texts.readyTitle}>
      <Card
        title={texts.readyTitle}
        lead={texts.readyLead}
        beside={<Code texts={texts} svg={account.qrSvg} />}
      >
        <p>
          <a class="button" href={account.loginLink}>
            {texts.openButton}
          </a>
        </p>
        <dl>
          <dt>{texts.addressLabel}</dt>
          <dd>{account.address}</dd>
          <dt>{texts.passwordLabel}</dt>
          <dd>{account.password}</dd>
        </dl>
        <p>
          <small>{texts.keepHint}</small>
        </p>
        {!account.trusted && (
          <p>
            <small>{texts.certificateHint}</small>
          </p>
        )}
      </Card>
      <ClientHint texts={texts} />
    </Frame>,
  );
}

/** A page that says one thing. */
export function messagePage(texts: Texts, domain: Domain, title: string, lead: string) {
  return page(
    <Frame texts={texts} domain={domain} title={title}>
      <Card title={title} lead={lead}>
        <a href="/">{texts.back}</a>
      </Card>
    </Frame>,
  );
}

function page(content: Child) {
  return html`<!doctype html>${content}`;
}

const Frame: FC<{ texts: Texts; domain: Domain; title?: string; children?: Child }> = (props) => {
  const { texts, domain, title, children } = props;
  const name = hostOf(domain);
  return (
    <html lang={texts.lang} dir={texts.dir}>
      <head>
        <meta charset="utf-8" />
        <title>{title === undefined ? name : `${title} · ${name}`}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
        <style>{raw(styleSheet)}</style>
      </head>
      <body>
        <div class="frame">
          <header>
            <img src="/favicon.svg" alt="" width="56" height="56" />
            <div>
              <h1>{name}</h1>
              <p class="lead">{texts.tagline}</p>
            </div>
          </header>
          <main>{children}</main>
        </div>
      </body>
    </html>
  );
};

const OfferCard: FC<{ texts: Texts; offer: Offer }> = ({ texts, offer }) => {
  if (offer.kind === "closed") return <Card title={texts.closedTitle} lead={texts.closedLead} />;
  if (offer.kind === "token") return <TokenCard texts={texts} action={offer.action} />;
  if (offer.kind === "form") {
    return (
      <Card title={texts.joinTitle} lead={texts.joinLead}>
        <form method="post" action="/new">
          {offer.token !== undefined && <input type="hidden" name="token" value={offer.token} />}
          <button class="button" type="submit">
            {texts.joinButton}
          </button>
        </form>
        <ClientHint texts={texts} />
      </Card>
    );
  }
  return (
    <Card title={texts.joinTitle} lead={texts.joinLead} beside={<Code texts={texts} svg={offer.qrSvg} />}>
      <p>
        <a class="button" href={offer.href}>
          {texts.joinButton}
        </a>
      </p>
      <ClientHint texts={texts} />
    </Card>
  );
};

const TokenCard: FC<{ texts: Texts; action: "/" | "/new" }> = ({ texts, action }) => (
  <Card title={texts.tokenTitle} lead={texts.tokenLead}>
    <form method={action === "/" ? "get" : "post"} action={action}>
      <label for="token">{texts.tokenLabel}</label>
      <input id="token" name="token" required autocomplete="off" autocapitalize="off" spellcheck={false} />
      <button class="button" type="submit">
        {texts.tokenButton}
      </button>
    </form>
    <ClientHint texts={texts} />
  </Card>
);

const ProxyCard: FC<{ texts: Texts; link: string; qrSvg: string }> = ({ texts, link, qrSvg }) => (
  <section class="card" aria-labelledby="proxy">
    <h2 id="proxy">{texts.proxyTitle}</h2>
    <p>{texts.proxyLead}</p>
    <p>
      <a href={link}>{texts.proxyButton}</a>
    </p>
    <details>
      <summary>{texts.proxyQrLabel}</summary>
      {raw(qrSvg)}
    </details>
  </section>
);

const Card: FC<{ title: string; lead: string; beside?: Child; children?: Child }> = (props) => (
  <section class={props.beside === undefined ? "card" : "card join with-code"} aria-labelledby="card">
    <div>
      <h2 id="card">{props.title}</h2>
      <p>{props.lead}</p>
      {props.children}
    </div>
    {props.beside}
  </section>
);

const Code: FC<{ texts: Texts; svg: string }> = ({ texts, svg }) => (
  <figure>
    {raw(svg)}
    <figcaption>{texts.scanHint}</figcaption>
  </figure>
);

const ClientHint: FC<{ texts: Texts }> = ({ texts }) => (
  <p>
    {texts.getClient}{" "}
    <a href={CLIENT_URL} rel="noreferrer">
      {texts.getClientLink}
    </a>
  </p>
);

function formatBytes(bytes: number): string {
  const mib = bytes / MIB;
  const [value, unit] = mib >= 1024 ? [mib / 1024, "GB"] : [mib, "MB"];
  return `${Number(value.toFixed(1))} ${unit}`;
}
