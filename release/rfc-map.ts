/**
 * The map from RFC sections to the code that cites them, with what is implemented, partly or not. A section that code
 * cites is implemented, unless `TODO(RFC n §s)` there or an entry of rfc-status.ts says otherwise.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { type RfcStatus, rfcStatus } from "./rfc-status.ts";

const CITATION = /(TODO\()?RFC (\d{3,5})(?: §(\d+(?:\.\d+)*))?/g;
const WHOLE = "whole";

interface Section {
  files: Set<string>;
  /** Files with a TODO for it. */
  gaps: Set<string>;
  entry: RfcStatus | undefined;
}

type Sections = Map<string, Section>;

export function rfcMap(): string {
  const rfcs = cited();
  for (const entry of rfcStatus) {
    sectionOf(rfcs, String(entry.rfc), entry.section === "" ? WHOLE : `§${entry.section}`).entry = entry;
  }
  const sorted = [...rfcs].sort((a, b) => Number(a[0]) - Number(b[0]));
  return [
    "# RFC map",
    "",
    "Printed from the citations in the code and from `release/rfc-status.ts` by `npm run docs`; do not edit by hand.",
    "",
    "| RFC | status | sections implemented | partly | not |",
    "|---|---|---|---|---|",
    ...sorted.map(([rfc, sections]) => summary(rfc, sections)),
    "",
    ...sorted.map(([rfc, sections]) => chapter(rfc, sections)),
  ].join("\n");
}

function cited(): Map<string, Sections> {
  const root = join(import.meta.dir, "..");
  const rfcs = new Map<string, Sections>();
  const files = [...new Glob("src/**/*.{ts,tsx}").scanSync(root)].filter((f) => !f.includes(".test")).sort();
  for (const file of files) {
    for (const [, gap, rfc = "", number] of readFileSync(join(root, file), "utf8").matchAll(CITATION)) {
      const section = sectionOf(rfcs, rfc, number === undefined ? WHOLE : `§${number}`);
      section.files.add(file);
      if (gap !== undefined) section.gaps.add(file);
    }
  }
  return rfcs;
}

function sectionOf(rfcs: Map<string, Sections>, rfc: string, key: string): Section {
  const sections = rfcs.get(rfc) ?? new Map<string, Section>();
  rfcs.set(rfc, sections);
  const section = sections.get(key) ?? { files: new Set(), gaps: new Set(), entry: undefined };
  sections.set(key, section);
  return section;
}

function statusOf({ gaps, entry }: Section): "yes" | RfcStatus["status"] {
  return entry?.status ?? (gaps.size > 0 ? "partly" : "yes");
}

function summary(rfc: string, sections: Sections): string {
  const count = (status: string) => [...sections.values()].filter((s) => statusOf(s) === status).length;
  const [yes, partly, no] = [count("yes"), count("partly"), count("no")];
  const status = yes + partly === 0 ? "no" : partly + no === 0 ? "yes" : "partly";
  return `| [${rfc}](#rfc-${rfc}) | ${status} | ${yes} | ${partly} | ${no} |`;
}

function chapter(rfc: string, sections: Sections): string {
  const rows = [...sections]
    .sort((a, b) => a[0].localeCompare(b[0], "en", { numeric: true }))
    .map(([name, section]) => {
      const { files, gaps, entry } = section;
      const places = [...files].sort().map((file) => `\`${file}\`${gaps.has(file) ? " (gap)" : ""}`);
      const reason = entry === undefined ? [] : [entry.reason];
      return `| ${name} | ${statusOf(section)} | ${[...reason, ...places].join(", ")} |`;
    });
  return [`## RFC ${rfc}`, "", "| section | implemented | code |", "|---|---|---|", ...rows, ""].join("\n");
}

if (import.meta.main) console.log(rfcMap());
