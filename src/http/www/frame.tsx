/** @jsxImportSource hono/jsx */
/**
 * What every page of the site has: head, navigation, languages. Pages load nothing but the icon and one small script,
 * from this very relay; the style sheet stands in the page, named by its hash in the Content-Security-Policy.
 */
import { html, raw } from "hono/html";
import type { Child, FC } from "hono/jsx";
import siteCss from "../../../web/site.css" with { type: "text" };
import { hostOf } from "../../core/address.ts";
import type { SiteFacts } from "../facts.ts";
import { scriptPath } from "./assets.ts";
import { languages, type Language } from "./languages.ts";
import type { Texts } from "./texts.ts";
import { textsOf } from "./translations.ts";

/** What the style sheet's element holds, to the byte: its hash is in the policy. */
export const styleSheet: string = minified(siteCss);

/** Where and in which language a page stands. */
export interface Place {
  texts: Texts;
  /** "/fa", or "" where the language was not asked for by the path. */
  prefix: string;
  /** Path without the language. */
  path: string;
}

export interface FrameProps {
  place: Place;
  facts: SiteFacts;
  title?: string;
  /** For search engines and link previews; default: the start page's. */
  description?: string;
  /** Kept away from search engines. */
  hidden?: boolean;
  children?: Child;
}

/** A rendered page. */
export type PageText = ReturnType<typeof html>;

export function page(content: Child): PageText {
  return html`<!doctype html>${content}`;
}

export const Frame: FC<FrameProps> = (props) => {
  const { place, facts, title, description, hidden, children } = props;
  const { texts } = place;
  const name = hostOf(facts.domain);
  return (
    <html lang={texts.language} dir={texts.dir}>
      <head>
        <meta charset="utf-8" />
        <title>{title === undefined ? name : `${title} · ${name}`}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="description" content={description ?? texts.home.lead} />
        {hidden === true && <meta name="robots" content="noindex" />}
        <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
        <style>{raw(styleSheet)}</style>
        <script src={scriptPath} defer></script>
      </head>
      <body>
        <a class="skip" href="#content">
          {texts.frame.skip}
        </a>
        <header>
          <div class="bar">
            <a class="brand" href={link(place, "/")}>
              <img src="/favicon.svg" alt="" width="32" height="32" />
              <bdi>{name}</bdi>
            </a>
            <Navigation place={place} facts={facts} />
            <LanguageMenu place={place} />
          </div>
        </header>
        <main id="content">{children}</main>
        <footer>
          <p>{texts.frame.software}</p>
          <p>
            <a href={link(place, "/deploy")} aria-current={place.path === "/deploy" ? "page" : undefined}>
              {texts.frame.deploy}
            </a>
          </p>
        </footer>
      </body>
    </html>
  );
};

/** A path of this site in the language of the page. */
export function link({ prefix }: Place, path: string): string {
  if (prefix === "") return path;
  return path === "/" ? prefix : `${prefix}${path}`;
}

const Navigation: FC<{ place: Place; facts: SiteFacts }> = ({ place, facts }) => {
  const { frame } = place.texts;
  const pages: [path: string, name: string][] = [
    ["/", frame.home],
    ["/docs", frame.docs],
    ["/info", frame.info],
    ["/privacy", frame.privacy],
    ["/security", frame.security],
    ...(facts.sharing ? ([["/share", frame.share]] as [string, string][]) : []),
  ];
  return (
    <nav aria-label={frame.pages}>
      <ul>
        {pages.map(([path, name]) => (
          <li>
            <a href={link(place, path)} aria-current={path === place.path ? "page" : undefined}>
              {name}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
};

const LanguageMenu: FC<{ place: Place }> = ({ place }) => (
  <details class="languages">
    <summary aria-label={`${place.texts.frame.language}: ${place.texts.ownName}`}>
      {raw(globe)}
      <span>{place.texts.ownName}</span>
    </summary>
    <ul>
      {languages.map((language: Language) => (
        <li>
          <a
            href={link({ ...place, prefix: `/${language}` }, place.path)}
            lang={language}
            hreflang={language}
            aria-current={language === place.texts.language ? "true" : undefined}
          >
            {textsOf[language].ownName}
          </a>
        </li>
      ))}
    </ul>
  </details>
);

const globe =
  '<svg aria-hidden="true" viewBox="0 0 24 24" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.8">' +
  '<circle cx="12" cy="12" r="9"/><path d="M3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18"/></svg>';

/** Comments and indentation need not travel. */
function minified(css: string): string {
  return css
    .replace(/\/\*[^]*?\*\//g, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([{};,>]) ?/g, "$1")
    .replace(/: /g, ":")
    .trim();
}
