/** Where in the panel: the part of the path behind its base, and the query. */
import { signal } from "@preact/signals";
import { facts } from "./facts.ts";

export interface Place {
  /** `/accounts`; the overview is `/`. */
  path: string;
  query: URLSearchParams;
}

export const place = signal<Place>(current());

export function hrefOf(path: string): string {
  return `${facts.base}${path}`;
}

export function navigate(path: string, how: "push" | "replace" = "push"): void {
  if (how === "push") history.pushState(null, "", hrefOf(path));
  else history.replaceState(null, "", hrefOf(path));
  place.value = current();
}

/** Changes the query in place: searching and paging fill no history. */
export function setQuery(changes: Record<string, string | undefined>): void {
  const query = new URLSearchParams(place.value.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  navigate(`${place.value.path}${text === "" ? "" : `?${text}`}`, "replace");
}

/** Follows the browser's buttons, and plain clicks on links into the panel. */
export function listen(): void {
  addEventListener("popstate", () => (place.value = current()));
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (link === null || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target !== "") return;
    if (link.origin !== location.origin || !link.pathname.startsWith(`${facts.base}/`)) return;
    event.preventDefault();
    navigate(link.pathname.slice(facts.base.length) + link.search);
    document.getElementById("main")?.focus();
  });
}

function current(): Place {
  const path = location.pathname.slice(facts.base.length).replace(/\/+$/, "");
  return { path: path === "" ? "/" : path, query: new URLSearchParams(location.search) };
}
