/** The texts of each language. */
import type { Language } from "./languages.ts";
import type { Texts } from "./texts.ts";
import { english } from "./texts-en.ts";
import { spanish } from "./texts-es.ts";
import { persian } from "./texts-fa.ts";
import { russian } from "./texts-ru.ts";

export const textsOf: Readonly<Record<Language, Texts>> = {
  en: english,
  fa: persian,
  ru: russian,
  es: spanish,
};
