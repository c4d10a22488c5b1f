/** @jsxImportSource hono/jsx */
/** The start page: one tap to an account, and what this relay is. */
import { raw } from "hono/html";
import type { FC } from "hono/jsx";
import type { SiteFacts } from "../facts.ts";
import { formatBytes, formatDays } from "./format.ts";
import { Frame, link, type Place, page } from "./frame.tsx";
import { Code, CopyButton, ProxyCard, Stores } from "./parts.tsx";

const picture =
  '<svg class="picture" aria-hidden="true" viewBox="0 0 300 240"><path class="far" d="M28 14h168a24 24 0 0 1 24 24v62a24 ' +
  '24 0 0 1-24 24H84l-34 28v-28H28A24 24 0 0 1 4 100V38a24 24 0 0 1 24-24z"/><path class="line" d="M40 52h142M40 84h86"/>' +
  '<path class="near" d="M132 112h140a24 24 0 0 1 24 24v50a24 24 0 0 1-24 24h-14v26l-32-26h-94a24 24 0 0 1-24-24v-50a24 ' +
  '24 0 0 1 24-24z"/><path class="on" d="M178 158v-8a24 24 0 0 1 48 0v8h5a6 6 0 0 1 6 6v24a6 6 0 0 1-6 6h-58a6 6 0 0 ' +
  '1-6-6v-24a6 6 0 0 1 6-6zm10 0h28v-8a14 14 0 0 0-28 0z"/></svg>';

/** How somebody gets an account, as the start page offers it. */
export type Offer =
  /** The client makes the account when it opens the link. */
  | { kind: "link"; href: string; qrSvg: string; invited: boolean }
  /** A form makes it; for relays whose certificate clients don't trust by themselves. */
  | { kind: "form"; token: string | undefined }
  /** First a token is needed. `action` is where the form leads. */
  | { kind: "token"; action: "/" | "/new" }
  | { kind: "closed" };

export interface HomeProps {
  place: Place;
  facts: SiteFacts;
  offer: Offer;
  proxyQr: string | undefined;
}

export function homePage(props: HomeProps) {
  const { place, facts, offer, proxyQr } = props;
  const { texts } = place;
  const { home } = texts;
  return page(
    <Frame place={place} facts={facts} hidden={isInvitation(offer)}>
      <section class={offer.kind === "link" ? "hero with-code" : "hero with-picture"}>
        <div>
          <h1>{home.title}</h1>
          <p class="lead">{home.lead}</p>
          <Way place={place} offer={offer} />
        </div>
        {offer.kind === "link" ? <Code svg={offer.qrSvg} caption={home.scan} /> : raw(picture)}
      </section>
      <ol class="steps">
        {home.steps.map((step) => (
          <li>
            <h2>{step.title}</h2>
            <p>{step.text}</p>
          </li>
        ))}
      </ol>
      <Stores texts={texts} />
      {facts.proxyLink !== undefined && proxyQr !== undefined && (
        <ProxyCard texts={texts} link={facts.proxyLink} qrSvg={proxyQr} />
      )}
      <section class="promises">
        {home.promises.map((promise) => (
          <div>
            <h2>{promise.title}</h2>
            <p>{promise.text}</p>
          </div>
        ))}
      </section>
      <section class="card" aria-labelledby="facts">
        <h2 id="facts">{home.factsTitle}</h2>
        <ul>
          <li>{home.sizeFact(formatBytes(texts, facts.messageMaxBytes))}</li>
          {facts.quotaBytes > 0 && <li>{home.quotaFact(formatBytes(texts, facts.quotaBytes))}</li>}
          {facts.retentionDays !== undefined && (
            <li>{home.retentionFact(formatDays(texts, facts.retentionDays))}</li>
          )}
        </ul>
        <p>
          <a href={link(place, "/info")}>{home.moreFacts}</a>
        </p>
      </section>
    </Frame>,
  );
}

const Way: FC<{ place: Place; offer: Offer }> = ({ place, offer }) => {
  const { texts } = place;
  switch (offer.kind) {
    case "closed":
      return (
        <div class="notice">
          <h2>{texts.closed.title}</h2>
          <p>{texts.closed.lead}</p>
        </div>
      );
    case "token":
      return <TokenForm place={place} action={offer.action} />;
    case "form":
      return (
        <form method="post" action={link(place, "/new")} data-busy={texts.home.busy}>
          {offer.token !== undefined && <p>{texts.invited}</p>}
          {offer.token !== undefined && <input type="hidden" name="token" value={offer.token} />}
          <button class="button" type="submit">
            {texts.home.button}
          </button>
        </form>
      );
    default:
      return (
        <>
          {offer.invited && <p>{texts.invited}</p>}
          <p class="actions">
            <a class="button" href={offer.href} data-hint="not-opened">
              {texts.home.button}
            </a>
            <CopyButton texts={texts} text={offer.href} name={texts.home.copyLink} />
          </p>
          <p class="notice" id="not-opened" role="status" hidden>
            {texts.home.notOpened}
          </p>
        </>
      );
  }
};

const TokenForm: FC<{ place: Place; action: "/" | "/new" }> = ({ place, action }) => {
  const { token } = place.texts;
  return (
    <form class="fields" method={action === "/" ? "get" : "post"} action={link(place, action)}>
      <h2>{token.title}</h2>
      <p>{token.lead}</p>
      <label for="token">{token.label}</label>
      <input
        id="token"
        name="token"
        dir="ltr"
        required
        maxlength={256}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
      />
      <button class="button" type="submit">
        {token.button}
      </button>
    </form>
  );
};

function isInvitation(offer: Offer): boolean {
  return (offer.kind === "link" && offer.invited) || (offer.kind === "form" && offer.token !== undefined);
}
