/** The map from RFC sections to the code that cites them; `TODO(RFC n §s)` marks a known gap. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";

const CITATION = /(TODO\()?RFC (\d{3,5})(?: §(\d+(?:\.\d+)*))?/g;

export function rfcMap(): string {
  const root = join(import.meta.dir, "..");
  const places = new Map<string, Map<string, Set<string>>>();
  const files = [...new Glob("src/**/*.{ts,tsx}").scanSync(root)].filter((f) => !f.includes(".test")).sort();
  for (const file of files) {
    for (const [, gap, rfc = "", section = ""] of readFileSync(join(root, file), "utf8").matchAll(CITATION)) {
      const sections = places.get(rfc) ?? new Map<string, Set<string>>();
      const key = section === "" ? "whole" : `§${section}`;
      sections.set(key, (sections.get(key) ?? new Set()).add(gap === undefined ? file : `${file} (gap)`));
      places.set(rfc, sections);
    }
  }
  const chapters = [...places]
    .sort((a, b) => Number(a[0]) - Number(b[0]))
    .map(([rfc, sections]) => {
      const rows = [...sections]
        .sort((a, b) => a[0].localeCompare(b[0], "en", { numeric: true }))
        .map(
          ([section, where]) =>
            `| ${section} | ${[...where]
              .sort()
              .map((f) => `\`${f}\``)
              .join(", ")} |`,
        );
      return [`## RFC ${rfc}`, "", "| section | code |", "|---|---|", ...rows, ""].join("\n");
    });
  return [
    "# RFC map",
    "",
    "Printed from the citations in the code by `npm run docs`; do not edit by hand.",
    "",
    ...chapters,
  ].join("\n");
}

if (import.meta.main) console.log(rfcMap());
