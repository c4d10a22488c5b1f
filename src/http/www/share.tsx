/** @jsxImportSource hono/jsx */
/** Contact sharing: the form, what it made, and what a short address shows. */
import type { FC } from "hono/jsx";
import { CONTACT_NAME_MAX_CHARS, SLUG_MAX_CHARS, SLUG_MIN_CHARS } from "../../core/contact.ts";
import type { SiteFacts } from "../facts.ts";
import { Frame, link, type Place, page } from "./frame.tsx";
import { Code, CopyButton, Opening, Stores } from "./parts.tsx";
import type { ShareRefusal } from "./texts.ts";

export interface ShareInput {
  url: string;
  name: string;
  slug: string;
}

export function sharePage(
  place: Place,
  facts: SiteFacts,
  refused?: { why: ShareRefusal; input: ShareInput },
) {
  const { share } = place.texts;
  const input = refused?.input;
  return page(
    <Frame place={place} facts={facts} title={share.title} description={share.lead}>
      <Opening title={share.title} lead={share.lead} />
      <form class="fields" method="post" action={link(place, "/share")}>
        {refused !== undefined && (
          <p class="notice" role="alert">
            {share.refusals[refused.why]}
          </p>
        )}
        <Field id="url" label={share.link} hint={share.linkHint} value={input?.url} max={1200} required />
        <Field id="name" label={share.name} value={input?.name} max={CONTACT_NAME_MAX_CHARS} />
        <Field
          id="slug"
          label={share.slug}
          hint={share.slugHint}
          value={input?.slug}
          max={SLUG_MAX_CHARS}
          pattern={`[A-Za-z0-9]{${SLUG_MIN_CHARS},${SLUG_MAX_CHARS}}`}
        />
        <button class="button" type="submit">
          {share.button}
        </button>
      </form>
    </Frame>,
  );
}

/** @param origin of the request, since a relay has several names */
export function sharedPage(place: Place, facts: SiteFacts, made: { slug: string }, origin: string) {
  const { texts } = place;
  const address = `${origin}/${made.slug}`;
  return page(
    <Frame place={place} facts={facts} title={texts.share.doneTitle} hidden>
      <Opening title={texts.share.doneTitle} lead={texts.share.doneLead} />
      <p class="actions">
        <a class="big" href={`/${made.slug}`} dir="ltr">
          {address}
        </a>
        <CopyButton texts={texts} text={address} name={texts.home.copyLink} />
      </p>
    </Frame>,
  );
}

export function contactPage(
  place: Place,
  facts: SiteFacts,
  contact: { slug: string; url: string; name: string },
  svg: string,
) {
  const { texts } = place;
  const name = contact.name === "" ? contact.slug : contact.name;
  return page(
    <Frame place={place} facts={facts} title={name} description={`${name} ${texts.share.openLead}`} hidden>
      <section class="hero with-code">
        <div>
          <p class="initial" aria-hidden="true">
            {String.fromCodePoint(name.codePointAt(0) ?? 0x3f).toUpperCase()}
          </p>
          <h1>
            <bdi>{name}</bdi>
          </h1>
          <p class="lead">{texts.share.openLead}</p>
          <p class="actions">
            <a class="button" href={contact.url} data-hint="not-opened">
              {texts.share.open}
            </a>
            <CopyButton texts={texts} text={contact.url} name={texts.home.copyLink} />
          </p>
          <p class="notice" id="not-opened" role="status" hidden>
            {texts.home.notOpened}
          </p>
          <p class="small">{texts.share.verify}</p>
        </div>
        <Code svg={svg} caption={texts.account.scan} />
      </section>
      <Stores texts={texts} />
    </Frame>,
  );
}

interface FieldProps {
  id: string;
  label: string;
  hint?: string;
  value: string | undefined;
  max: number;
  pattern?: string;
  required?: boolean;
}

const Field: FC<FieldProps> = ({ id, label, hint, value, max, pattern, required }) => (
  <>
    <label for={id}>{label}</label>
    <input
      id={id}
      name={id}
      dir={id === "name" ? "auto" : "ltr"}
      maxlength={max}
      pattern={pattern}
      required={required}
      value={value}
      autocomplete="off"
      autocapitalize="off"
      spellcheck={false}
      aria-describedby={hint === undefined ? undefined : `${id}-hint`}
    />
    {hint !== undefined && (
      <p class="small" id={`${id}-hint`}>
        {hint}
      </p>
    )}
  </>
);
