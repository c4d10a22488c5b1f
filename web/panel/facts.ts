/** What the page was served with. */

export interface Facts {
  /** Path of the panel, without a slash at its end. */
  base: string;
  /** Path of the admin API. */
  api: string;
  language: string;
  version: string;
}

export const facts = JSON.parse(document.getElementById("facts")?.textContent ?? "{}") as Facts;
