/** Prints the schema as the sample file and as the reference page, so that neither can disagree with the code. */
import { z } from "zod";
import { configSchema } from "./schema.ts";
import { durationText } from "./schema-fields.ts";
import { settings } from "./settings.ts";

interface Field {
  key: string;
  doc: string;
  /** TOML text of the default; undefined when there is none. */
  fallback: string | undefined;
  accepts: string;
}

interface Section {
  name: string;
  doc: string;
  fields: Field[];
}

const examples: Record<string, string> = {
  state_dir: '"/var/lib/madmail"',
  hostname: '"relay.example"',
  domains: '["relay.example"]',
  public_address: '"192.0.2.1"',
  cert: '"/etc/madmail/fullchain.pem"',
  key: '"/etc/madmail/privkey.pem"',
  email: '"postmaster@relay.example"',
  ca_file: '"/etc/madmail/directory-ca.pem"',
  profile: '"shortlived"',
  dns_provider: '"cloudflare"',
  cloudflare_token_file: '"/etc/madmail/cloudflare-token"',
  aws_credentials_file: '"/etc/madmail/aws-credentials"',
  eab_hmac_key_file: '"/etc/madmail/eab-key"',
  comment: '"Run by the neighbours"',
  admin: '"mailto:postmaster@relay.example"',
  realm: '"relay.example"',
  secret: '"at least 16 characters"',
};

/** A commented `madmail.toml` in which every line that is not a comment may be left out. */
export function sampleConfig(): string {
  const { top, sections } = describeSchema();
  const field = (f: Field) =>
    `# ${f.doc}\n${f.fallback === undefined ? "# " : ""}${f.key} = ${f.fallback ?? examples[f.key] ?? '""'}\n`;
  const header =
    "# madmail.toml: configuration of a madmail relay. `madmail config check FILE` tells what is wrong with it.\n";
  const essentials = top
    .map(
      (f) => `# ${f.doc}\n${f.key === "public_address" ? "# " : ""}${f.key} = ${examples[f.key] ?? '""'}\n`,
    )
    .join("\n");
  return [
    header,
    essentials,
    ...sections.map((s) => `# ${s.doc}\n[${s.name}]\n${s.fields.map(field).join("")}`),
  ].join("\n");
}

/** docs/config.md. */
export function configReference(): string {
  const { top, sections } = describeSchema();
  const table = (fields: Field[]) =>
    ["| key | meaning | accepts | default |", "|---|---|---|---|"]
      .concat(
        fields.map(
          (f) =>
            `| \`${f.key}\` | ${cell(f.doc)} | ${cell(f.accepts)} | ${f.fallback === undefined ? "none" : `\`${cell(f.fallback)}\``} |`,
        ),
      )
      .join("\n");
  return [
    "# Configuration reference",
    "",
    "Printed from `src/config/schema.ts` by `npm run docs`; do not edit by hand.",
    "",
    "`madmail run --config FILE` reads a TOML file. Unknown keys are errors. Sizes are bytes or text such as `30M`",
    "(1024-based), durations text such as `30s`, `5m`, `20d`. `madmail config sample` prints a complete file,",
    "`madmail config check FILE` checks one.",
    "",
    "## Top level",
    "",
    table(top),
    ...sections.flatMap((s) => ["", `## [${s.name}]`, "", s.doc, "", table(s.fields)]),
    "",
  ].join("\n");
}

/** docs/settings.md. */
export function settingsReference(): string {
  const effects = { live: "at once", reload: "reload", restart: "restart" } as const;
  const rows = settings.map(
    ({ name, key, doc, effect, path, kind }) =>
      `| \`${name}\` | ${cell(doc)} | ${cell(kind.expects)} | ${effects[effect]} | \`${path}\` | \`${key}\` |`,
  );
  return [
    "# Settings",
    "",
    "Printed from `src/config/setting-table.ts` by `npm run docs`; do not edit by hand.",
    "",
    "Settings are what operators change at run time: by `madmail settings set NAME VALUE`, by the commands that are",
    "about one of them (`madmail turn off`, `madmail port imap set 1143`), or through the admin API. They are kept in",
    "the database, beat the configuration file, and `madmail settings reset NAME` leaves the matter to the file again.",
    "`madmail settings list` shows each value, where it comes from and whether it waits; `madmail config show` shows the",
    "same for every key of the file.",
    "",
    "What counts *at once* is in force when the command ends. *reload*: it waits for `madmail reload`; only listeners",
    "whose address changed move then, connections on the others live on, and a new address that can't be had leaves",
    "the old one in use. *restart*: it waits for the next start. `--expected VALUE` changes nothing if somebody else",
    "was faster. On a stopped relay all of them count from its start.",
    "",
    "| name | meaning | accepts | counts | beats in the file | key in the database |",
    "|---|---|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

function describeSchema(): { top: Field[]; sections: Section[] } {
  const entries: [string, z.ZodType][] = Object.entries(configSchema.shape);
  const isSection = ([, type]: [string, z.ZodType]) => type instanceof z.ZodPrefault;
  const top = entries.filter((entry) => !isSection(entry)).map(([key, type]) => describeField(key, type));
  const sections = entries.filter(isSection).map(([name, type]) => ({
    name,
    doc: type.meta()?.description ?? "",
    fields: fieldsOf(type),
  }));
  return { top, sections };
}

function fieldsOf(section: z.ZodType): Field[] {
  const inner = section instanceof z.ZodPrefault ? section.unwrap() : section;
  if (!(inner instanceof z.ZodObject)) return [];
  return Object.entries(inner.shape).map(([key, type]) => describeField(key, type as z.ZodType));
}

function describeField(key: string, type: z.ZodType): Field {
  const fallback = type.safeParse(undefined);
  const given = fallback.success && fallback.data !== undefined ? fallback.data : undefined;
  const core = type instanceof z.ZodDefault || type instanceof z.ZodOptional ? type.unwrap() : type;
  const isDuration = core instanceof z.ZodPipe && core.in instanceof z.ZodString && typeof given === "number";
  return {
    key,
    doc: type.meta()?.description ?? "",
    fallback:
      given === undefined
        ? undefined
        : isDuration
          ? JSON.stringify(durationText(given))
          : JSON.stringify(given).replaceAll(",", ", "),
    accepts: accepts(core as z.ZodType, isDuration),
  };
}

function accepts(type: z.ZodType, isDuration: boolean): string {
  if (isDuration) return "duration";
  if (type instanceof z.ZodEnum) return type.options.map((o) => `\`${String(o)}\``).join(", ");
  if (type instanceof z.ZodBoolean) return "`true`, `false`";
  if (type instanceof z.ZodArray) return "list";
  if (type instanceof z.ZodNumber) {
    const low = type.minValue;
    const high = type.maxValue;
    return `${type.isInt ? "whole number" : "number"}${low !== null && Number.isFinite(low) ? ` from ${low}` : ""}${high !== null && high < 2 ** 31 ? ` to ${high}` : ""}`;
  }
  return type instanceof z.ZodPipe && type.in instanceof z.ZodUnion ? "size" : "text";
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
