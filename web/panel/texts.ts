/** The language of the panel: chosen by the operator, else the relay's. English is always there, others are loaded. */
import { signal } from "@preact/signals";
import { facts } from "./facts.ts";
import { en, type Texts } from "./texts/en.ts";

export const languages = { en: "English", fa: "فارسی", ru: "Русский", es: "Español" } as const;
export type Language = keyof typeof languages;

const KEY = "madmail.language";
const rightToLeft = new Set<string>(["fa"]);

const loaders: Record<Language, () => Promise<Texts>> = {
  en: () => Promise.resolve(en),
  fa: async () => (await import("./texts/fa.ts")).fa,
  ru: async () => (await import("./texts/ru.ts")).ru,
  es: async () => (await import("./texts/es.ts")).es,
};

export const language = signal<Language>("en");
/** The texts in force; read `.value` while rendering. */
export const texts = signal<Texts>(en);

export function isLanguage(name: string): name is Language {
  return Object.hasOwn(languages, name);
}

/** Switches; keeps what is there when the language can't be loaded. */
export async function speak(name: Language): Promise<void> {
  const loaded = await loaders[name]();
  localStorage.setItem(KEY, name);
  texts.value = loaded;
  language.value = name;
  document.documentElement.lang = name;
  document.documentElement.dir = rightToLeft.has(name) ? "rtl" : "ltr";
}

export function firstLanguage(): Language {
  const wanted = [localStorage.getItem(KEY), facts.language, navigator.language.slice(0, 2)];
  return wanted.find((name): name is Language => name !== null && isLanguage(name)) ?? "en";
}
