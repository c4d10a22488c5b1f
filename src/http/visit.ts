/** What a request tells about its visitor: language, and whether a person or a program reads the answer. */
import type { Context } from "hono";
import type { SiteFacts } from "./facts.ts";
import type { Place } from "./www/frame.tsx";
import { acceptedLanguage, splitLanguage } from "./www/languages.ts";
import { textsOf } from "./www/translations.ts";

/** The path's language first, then the operator's choice, then the browser's. */
export function placeOf(c: Context, facts: SiteFacts): Place {
  const { language, path } = splitLanguage(new URL(c.req.url).pathname);
  const chosen = language ?? facts.language ?? acceptedLanguage(c.req.header("accept-language")) ?? "en";
  return { texts: textsOf[chosen], prefix: language === undefined ? "" : `/${language}`, path };
}

/** Browsers name text/html; mail clients and scripts don't. */
export function wantsPage(c: Context): boolean {
  return (c.req.header("accept") ?? "").includes("text/html");
}
