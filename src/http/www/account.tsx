/** @jsxImportSource hono/jsx */
/** The page that hands over a new account, and pages that say one thing. */
import type { Address } from "../../core/address.ts";
import type { SiteFacts } from "../facts.ts";
import { Frame, link, type Place, page } from "./frame.tsx";
import { Code, CopyButton, ServerTable, Stores } from "./parts.tsx";
import type { Said } from "./texts.ts";

export interface NewAccount {
  address: Address;
  password: string;
  loginLink: string;
  qrSvg: string;
}

export function accountPage(place: Place, facts: SiteFacts, made: NewAccount) {
  const { texts } = place;
  const { account } = texts;
  return page(
    <Frame place={place} facts={facts} title={account.title} hidden>
      <section class="hero with-code">
        <div>
          <h1>{account.title}</h1>
          <p class="lead">{account.lead}</p>
          <p class="actions">
            <a class="button" href={made.loginLink} data-hint="not-opened" data-open>
              {account.button}
            </a>
            <CopyButton texts={texts} text={made.loginLink} name={account.copyLink} />
          </p>
          <p class="notice" id="not-opened" role="status" hidden>
            {texts.home.notOpened}
          </p>
          <p class="small">{account.keep}</p>
          {!facts.trusted && <p class="small">{account.certificate}</p>}
        </div>
        <Code svg={made.qrSvg} caption={account.scan} />
      </section>
      <details class="card">
        <summary>{account.details}</summary>
        <dl>
          <dt>{account.address}</dt>
          <dd>
            <code>{made.address}</code> <CopyButton texts={texts} text={made.address} name={account.copy} />
          </dd>
          <dt>{account.password}</dt>
          <dd>
            <code>{made.password}</code> <CopyButton texts={texts} text={made.password} name={account.copy} />
          </dd>
        </dl>
        <ServerTable texts={texts} host={facts.host} ports={facts.ports} />
      </details>
      <Stores texts={texts} />
    </Frame>,
  );
}

export function messagePage(place: Place, facts: SiteFacts, { title, lead }: Said) {
  return page(
    <Frame place={place} facts={facts} title={title} hidden>
      <section class="hero">
        <div>
          <h1>{title}</h1>
          <p class="lead">{lead}</p>
          <p>
            <a href={link(place, "/")}>{place.texts.back}</a>
          </p>
        </div>
      </section>
    </Frame>,
  );
}
