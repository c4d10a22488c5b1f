/** `madmail import SOURCE`: accounts, mail and keys of another relay, into a stopped one. */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { defineCommand } from "citty";
import { locateConfig } from "../config/locate.ts";
import { readConfig } from "../config/read.ts";
import { DatabaseError } from "../db/open.ts";
import { openSource } from "../migrate/detect.ts";
import { type ImportReport, type OnProgress, runImport, surveySource } from "../migrate/importer.ts";
import { type Source, SourceError, sourceKinds } from "../migrate/source.ts";
import type { Globals } from "./globals.ts";
import { confirmed } from "./operate.ts";
import { CommandError, report } from "./output.ts";
import { progressLine, sizeText } from "./progress.ts";

export function importCommand(globals: Globals) {
  return defineCommand({
    meta: { name: "import", description: "Take over accounts, mail and keys of another relay" },
    args: {
      source: {
        type: "positional",
        required: true,
        description: "State directory of a madmail or maddy, or /home/vmail/mail of a chatmail relay",
      },
      from: {
        type: "enum",
        options: ["auto", ...sourceKinds],
        default: "auto",
        description: "What kind of server SOURCE comes from",
      },
      "source-config": {
        type: "string",
        description: "Configuration of the other relay (maddy.conf), where it is not found by itself",
      },
      "dry-run": { type: "boolean", default: false, description: "Only tell what would come and what not" },
      yes: { type: "boolean", alias: "y", default: false, description: "Do not ask" },
    },
    async run({ args }) {
      const from = [...sourceKinds, "auto" as const].find((kind) => kind === args.from) ?? "auto";
      await told(async () => {
        const source = openSource(args.source, from, args["source-config"]);
        try {
          await importSource(globals, source, args["dry-run"], args.yes);
        } finally {
          source.close();
        }
      });
    },
  });
}

async function importSource(
  globals: Globals,
  source: Source,
  dryRun: boolean,
  isSure: boolean,
): Promise<void> {
  const stateDir = stateDirOf(globals);
  const line = progressLine(globals);
  const onProgress: OnProgress = ({ accounts, accountsTotal, messages, bytes }) =>
    line.show(() => ({
      done: accounts,
      total: accountsTotal,
      what: `accounts, ${messages} messages, ${sizeText(bytes)}`,
    }));
  const plan = await surveySource(source, stateDir, onProgress);
  line.end();
  if (dryRun) {
    return report(globals, "import", `${render(plan, "would come")}\nNothing was written.`, {
      dryRun: true,
      ...plan,
    });
  }
  if (!isSure && !globals.json) process.stdout.write(`${render(plan, "would come")}\n`);
  const what = `take ${plan.accounts} accounts with ${plan.messages} messages into ${stateDir}`;
  if (!(await confirmed(globals, "import", what, isSure))) return;
  const done = await runImport(source, stateDir, hostname(), onProgress);
  line.end();
  report(globals, "import", `${render(done, "came")}\nDone.`, { dryRun: false, ...done });
}

/** Where the mail shall go. @throws {CommandError} when nothing says it */
export function stateDirOf(globals: Globals): string {
  if (globals.stateDir !== undefined) return resolve(globals.stateDir);
  const file = globals.config ?? locateConfig();
  if (file === undefined) {
    throw new CommandError(
      "no configuration file found; name one with --config, or the state with --state-dir",
    );
  }
  return readConfig(file, {}).stateDir;
}

function render(plan: ImportReport, verb: string): string {
  const before = plan.accountsBefore === 0 ? "" : ` (${plan.accountsBefore} more came before)`;
  const linked = plan.linked === 0 ? "" : `, ${plan.linked} of them linked`;
  const lines = [
    `From ${plan.source} (${plan.kind}) ${verb}:`,
    `  accounts              ${plan.accounts}${before}`,
    `  mailboxes             ${plan.mailboxes}`,
    `  messages              ${plan.messages} (${sizeText(plan.bytes)}${linked})`,
    `  settings              ${plan.settings}`,
    `  registration tokens   ${plan.registrationTokens}`,
    `  blocked addresses     ${plan.blocked}`,
    `  federation rules      ${plan.federationRules}`,
    `  DKIM key              ${plan.dkim ? "yes" : "none"}`,
    `  certificate           ${plan.tls ? "yes" : "none"}`,
    `  configuration         ${plan.config ?? "none found"}`,
  ];
  if (plan.leftBehind.length > 0) lines.push("Stays behind:");
  for (const { why, count, examples } of plan.leftBehind) {
    lines.push(`  ${String(count).padStart(6)}  ${why}`);
    for (const example of examples) lines.push(`            ${example}`);
    if (count > examples.length) lines.push(`            and ${count - examples.length} more`);
  }
  return lines.join("\n");
}

/** Faults of source, database and disk are for the operator: no stack. */
export async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const isDisk = error instanceof Error && typeof code === "string" && /^E[A-Z]+$/.test(code);
    if (error instanceof SourceError || error instanceof DatabaseError || isDisk) {
      throw new CommandError(error.message, { cause: error });
    }
    throw error;
  }
}
