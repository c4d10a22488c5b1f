/** The languages of the site, and which of them a visitor gets. */

export const languages = ["en", "fa", "ru", "es"] as const;
export type Language = (typeof languages)[number];

const PREFIX = /^\/(en|fa|ru|es)(?=\/|$)/;

function isLanguage(text: string | undefined): text is Language {
  return (languages as readonly (string | undefined)[]).includes(text);
}

/** `/fa/info` is `/info` in Persian. Names of two letters can't be slugs, so nothing else begins like this. */
export function splitLanguage(path: string): { language: Language | undefined; path: string } {
  const prefix = PREFIX.exec(path)?.[1];
  if (!isLanguage(prefix)) return { language: undefined, path };
  const rest = path.slice(prefix.length + 1);
  return { language: prefix, path: rest === "" ? "/" : rest };
}

/** The first language of `Accept-Language` that the site speaks, by weight (RFC 9110 §12.5.4). */
export function acceptedLanguage(header: string | undefined): Language | undefined {
  let best: { language: Language; weight: number } | undefined;
  for (const part of header?.slice(0, 500).split(",") ?? []) {
    const [range = "", ...parameters] = part.split(";");
    const language = range.trim().slice(0, 2).toLowerCase();
    if (!isLanguage(language) || !/^[a-z]{2}(-|$)/i.test(range.trim())) continue;
    const q = parameters.map((p) => /^\s*q=([\d.]+)\s*$/.exec(p)?.[1]).find((v) => v !== undefined);
    const weight = q === undefined ? 1 : Number(q);
    if (weight > (best?.weight ?? 0)) best = { language, weight };
  }
  return best?.language;
}
