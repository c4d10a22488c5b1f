/** @jsxImportSource preact */
/** The frame around every page: sections at the side, or at the bottom of a phone; language, appearance, log out. */
import { type Signal, useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { ask } from "./api.ts";
import { facts } from "./facts.ts";
import { isAway, returns, waitForRelay } from "./load.ts";
import { Icon } from "./parts/icon.tsx";
import { Notes } from "./parts/notes.tsx";
import { Tabs } from "./parts/tabs.tsx";
import { PendingBanner } from "./pending-banner.tsx";
import { hrefOf, place } from "./router.ts";
import { type Page, type Section, sectionAt, sections } from "./sections.ts";
import { endSession, session } from "./session.ts";
import { isLanguage, language, languages, speak, texts } from "./texts.ts";
import { applyTheme, type Theme, theme } from "./theme.ts";

/** On a phone the others stand behind "More". */
const BOTTOM_SECTIONS = 4;

export function Shell() {
  const t = texts.value;
  const isMenuOpen = useSignal(false);
  const found = sectionAt(place.value.path);
  const title = found === undefined ? t.shell.notFound : found.section.title(t);
  const tabs = found?.section.pages.filter(({ isInner }) => isInner !== true) ?? [];
  useEffect(() => {
    isMenuOpen.value = false;
  }, [found?.page]);
  document.title = `${found === undefined ? title : found.page.title(t)} · madmail`;
  return (
    <div class="shell">
      <a class="skip" href="#main">
        {t.shell.skip}
      </a>
      <header class="top">
        <a class="brand" href={hrefOf("/")}>
          <Mark /> {t.appName} <small dir="ltr">{facts.version}</small>
        </a>
        <Controls />
      </header>
      <Sections isMenuOpen={isMenuOpen} current={found?.section} />
      <main id="main" tabIndex={-1}>
        {isAway.value ? <Away /> : null}
        {session.value?.scope === "read" ? <p class="banner">{t.shell.readOnly}</p> : null}
        <PendingBanner />
        <h1>{title}</h1>
        {found !== undefined && tabs.length > 1 ? (
          <Tabs
            label={title}
            current={found.page.path}
            tabs={tabs.map((page) => ({ path: page.path, title: page.title(t) }))}
          />
        ) : null}
        <Shown key={found?.page.path} page={found?.page} />
      </main>
      <Notes />
    </div>
  );
}

/** Asks until the relay is back; every page then asks for its data again. */
function Away() {
  useEffect(waitForRelay, []);
  return (
    <p class="banner bad" role="alert">
      {texts.value.shell.offline}
    </p>
  );
}

function Shown({ page }: { page: Page | undefined }) {
  const t = texts.value;
  const loaded = useSignal<{ show: ComponentType } | "failed" | undefined>(undefined);
  useEffect(() => {
    void page?.load().then(
      (show) => (loaded.value = { show }),
      () => {
        // Whether the relay is away, the banner's questions will show.
        if (loaded.peek() === undefined) isAway.value = true;
        loaded.value = "failed";
      },
    );
  }, [returns.value]);
  if (page === undefined) {
    return (
      <p>
        <a href={hrefOf("/")}>{t.shell.backToStart}</a>
      </p>
    );
  }
  if (loaded.value === undefined) return <p class="loading">{t.common.loading}</p>;
  if (loaded.value === "failed") {
    // The relay is away, or it is a newer one and has other scripts by now.
    return (
      <p class="banner bad" role="alert">
        {t.shell.pageFailed}{" "}
        <button type="button" onClick={() => location.reload()}>
          {t.common.retry}
        </button>
      </p>
    );
  }
  const Page = loaded.value.show;
  return <Page />;
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 64 64" aria-hidden="true">
      <rect width="64" height="64" rx="16" />
      <path d="M14 20h36a3 3 0 0 1 3 3v20a3 3 0 0 1-3 3H28l-9 8v-8h-5a3 3 0 0 1-3-3V23a3 3 0 0 1 3-3z" />
    </svg>
  );
}

function Sections({ isMenuOpen, current }: { isMenuOpen: Signal<boolean>; current: Section | undefined }) {
  const t = texts.value;
  return (
    <nav class={isMenuOpen.value ? "sections open" : "sections"} aria-label={t.nav.label}>
      <ul id="sections">
        {sections.map((section, index) => (
          <li
            key={section.pages[0].path}
            class={[
              index < BOTTOM_SECTIONS ? "" : "further",
              index > 0 && sections[index - 1]?.group !== section.group ? "first-of-group" : "",
            ]
              .filter(Boolean)
              .join(" ")}
          >
            <a
              href={hrefOf(section.pages[0].path)}
              aria-current={section === current ? "page" : undefined}
              onClick={() => (isMenuOpen.value = false)}
            >
              <Icon path={section.icon} />
              <span>{section.title(t)}</span>
            </a>
          </li>
        ))}
      </ul>
      <button
        type="button"
        class="more"
        aria-expanded={isMenuOpen.value}
        aria-controls="sections"
        onClick={() => (isMenuOpen.value = !isMenuOpen.value)}
      >
        <Icon path="M5 12h.01M12 12h.01M19 12h.01" />
        <span>{t.nav.more}</span>
      </button>
    </nav>
  );
}

function Controls() {
  const t = texts.value;
  return (
    <div class="controls">
      <LanguageChoice />
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

export function LanguageChoice() {
  return (
    <label>
      <span class="visually-hidden">{texts.value.shell.language}</span>
      <select
        value={language.value}
        onChange={(event) => {
          const name = event.currentTarget.value;
          if (isLanguage(name)) void speak(name).catch(() => undefined);
        }}
      >
        {Object.entries(languages).map(([name, own]) => (
          <option key={name} value={name} lang={name}>
            {own}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The relay forgets the session too, if it can be told. */
async function logOut(): Promise<void> {
  const token = session.value?.token;
  endSession();
  if (token !== undefined) await ask("/admin/session", "DELETE", {}, token).catch(() => undefined);
}
