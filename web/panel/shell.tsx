/** @jsxImportSource preact */
/** The frame around every page: sections at the side, or at the bottom of a phone; language, appearance, log out. */
import { type Signal, useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { ask } from "./api.ts";
import { facts } from "./facts.ts";
import { isAway } from "./load.ts";
import { Icon } from "./parts/icon.tsx";
import { Notes } from "./parts/notes.tsx";
import { hrefOf, place } from "./router.ts";
import { type Section, sections } from "./sections.ts";
import { endSession, session } from "./session.ts";
import { isLanguage, language, languages, speak, texts } from "./texts.ts";
import { type Theme, theme, applyTheme } from "./theme.ts";

/** On a phone the others stand behind "More". */
const BOTTOM_SECTIONS = 4;

export function Shell() {
  const t = texts.value;
  const page = useSignal<ComponentType | undefined>(undefined);
  const isMenuOpen = useSignal(false);
  const section = sectionAt(place.value.path);
  useEffect(() => {
    isMenuOpen.value = false;
    page.value = undefined;
    if (section !== undefined) void section.load().then((loaded) => (page.value = loaded));
  }, [section]);
  const title = section === undefined ? t.shell.notFound : section.title(t);
  document.title = `${title} · madmail`;
  return (
    <div class="shell">
      <a class="skip" href="#main">
        {t.shell.skip}
      </a>
      <header class="top">
        <a class="brand" href={hrefOf("/")}>
          {t.appName} <small>{facts.version}</small>
        </a>
        <Controls />
      </header>
      <Sections isMenuOpen={isMenuOpen} current={section} />
      <main id="main" tabIndex={-1}>
        {isAway.value ? (
          <p class="banner bad" role="alert">
            {t.shell.offline}
          </p>
        ) : null}
        {session.value?.scope === "read" ? <p class="banner">{t.shell.readOnly}</p> : null}
        <h1>{title}</h1>
        <Page section={section} page={page} />
      </main>
      <Notes />
    </div>
  );
}

function Page({ section, page }: { section: Section | undefined; page: Signal<ComponentType | undefined> }) {
  const t = texts.value;
  if (section === undefined) {
    return (
      <p>
        <a href={hrefOf("/")}>{t.shell.backToStart}</a>
      </p>
    );
  }
  const Shown = page.value;
  return Shown === undefined ? <p class="loading">{t.common.loading}</p> : <Shown />;
}

function Sections({ isMenuOpen, current }: { isMenuOpen: Signal<boolean>; current: Section | undefined }) {
  const t = texts.value;
  return (
    <nav class={isMenuOpen.value ? "sections open" : "sections"} aria-label={t.nav.label}>
      <ul>
        {sections.map((section, index) => (
          <li key={section.path} class={index < BOTTOM_SECTIONS ? undefined : "further"}>
            <a href={hrefOf(section.path)} aria-current={section === current ? "page" : undefined}>
              <Icon path={section.icon} />
              <span>{section.title(t)}</span>
            </a>
          </li>
        ))}
      </ul>
      {sections.length > BOTTOM_SECTIONS ? (
        <button
          type="button"
          class="more"
          aria-expanded={isMenuOpen.value}
          onClick={() => (isMenuOpen.value = !isMenuOpen.value)}
        >
          <Icon path="M5 12h.01M12 12h.01M19 12h.01" />
          <span>{t.nav.more}</span>
        </button>
      ) : null}
    </nav>
  );
}

function Controls() {
  const t = texts.value;
  return (
    <div class="controls">
      <label>
        <span class="visually-hidden">{t.shell.language}</span>
        <select
          value={language.value}
          onChange={(event) => {
            const name = event.currentTarget.value;
            if (isLanguage(name)) void speak(name);
          }}
        >
          {Object.entries(languages).map(([name, own]) => (
            <option key={name} value={name} lang={name}>
              {own}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="visually-hidden">{t.shell.theme}</span>
        <select value={theme.value} onChange={(event) => applyTheme(event.currentTarget.value as Theme)}>
          {Object.entries(t.shell.themes).map(([name, title]) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <button type="button" onClick={() => void logOut()}>
        {t.shell.logOut}
      </button>
    </div>
  );
}

/** The relay forgets the session too, if it can be told. */
async function logOut(): Promise<void> {
  const token = session.value?.token;
  endSession();
  if (token !== undefined) await ask("/admin/session", "DELETE", {}, token).catch(() => undefined);
}

function sectionAt(path: string): Section | undefined {
  return sections.find((section) => section.path === path);
}
