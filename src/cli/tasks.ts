/** `madmail tasks …`: maintenance by hand. */
import { type CommandDef, defineCommand } from "citty";
import type { OutputOf } from "../operations/operations.ts";
import { ageMs } from "../tasks/age.ts";
import type { Globals } from "./globals.ts";
import { confirmed, operate, progressBar } from "./operate.ts";
import { CommandError, report, time } from "./output.ts";

type Result = OutputOf<"tasks.run">;

const dryRun = {
  type: "boolean" as const,
  description: "Only count what would go",
};
const yes = { type: "boolean" as const, alias: "y", description: "Do not ask" };

export function tasksCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: { name: "tasks", description: "See maintenance jobs and run them now" },
    subCommands: {
      list: defineCommand({
        meta: { name: "list", description: "Jobs, when they run, and how they last ended" },
        run: () => list(globals),
      }),
      run: defineCommand({
        meta: { name: "run", description: "Run one job now" },
        args: {
          task: { type: "positional", required: true, description: "A name that `tasks list` shows" },
          retention: {
            type: "string",
            description: "An age such as 12h or 30d instead of the configured one",
          },
          "dry-run": dryRun,
          repair: { type: "boolean", description: "Let check-storage put right what it can" },
          yes,
        },
        run: ({ args }) => run(globals, args),
      }),
      "run-all": defineCommand({
        meta: { name: "run-all", description: "Run every job that has a schedule, now" },
        args: { "dry-run": dryRun, yes },
        run: ({ args }) => runAll(globals, args["dry-run"] ?? false, args.yes),
      }),
    },
  });
}

async function list(globals: Globals): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("tasks.list", {}));
  const lines = data.tasks.flatMap(({ name, aliases, summary, state, nextRunMs, last, intervalMs }) => {
    const next = nextRunMs === null ? "" : `, next ${time(nextRunMs)}`;
    const when = intervalMs === 0 ? "by hand" : `every ${ageText(intervalMs)}${next}`;
    return [
      `${name}  (${state === "idle" ? when : state})`,
      `  ${summary}${aliases.length > 0 ? `; also ${aliases.join(", ")}` : ""}`,
      ...(last === null ? [] : [`  last ${time(last.startedAtMs)}: ${resultText(last)}`]),
    ];
  });
  report(globals, "tasks list", lines.join("\n"), data);
}

async function run(
  globals: Globals,
  args: {
    task: string;
    retention?: string | undefined;
    "dry-run"?: boolean | undefined;
    repair?: boolean | undefined;
    yes?: boolean | undefined;
  },
): Promise<void> {
  const { task, retention, repair = false } = args;
  const retentionMs = ageMs(retention);
  if (retention !== undefined && retentionMs === undefined) {
    throw new CommandError(`--retention ${retention}: expected an age such as 90s, 45m, 12h or 30d`);
  }
  const input = { task, repair, ...(retentionMs === undefined ? {} : { retentionMs }) };
  const options = { onProgress: progressBar(globals) };
  await operate(globals, async (caller) => {
    const isDry = args["dry-run"] === true;
    if (!isDry && args.yes !== true) {
      const would = await caller.call("tasks.run", { ...input, dryRun: true });
      const question = `run ${would.task}: ${removedText(would)}`;
      if (!isHarmless(would) && !(await confirmed(globals, "tasks run", question, false))) return;
    }
    const done = await caller.call("tasks.run", { ...input, dryRun: isDry }, options);
    report(globals, "tasks run", [resultText(done), ...done.findings].join("\n"), done);
    if (done.outcome === "failed") process.exitCode = 1;
  });
}

async function runAll(globals: Globals, isDry: boolean, isSure: boolean | undefined): Promise<void> {
  await operate(globals, async (caller) => {
    if (!isDry && isSure !== true) {
      const { results } = await caller.call("tasks.runAll", { dryRun: true });
      const texts = results.filter((would) => !isHarmless(would)).map(removedText);
      const question = `run all maintenance: ${texts.join("; ")}`;
      if (texts.length > 0 && !(await confirmed(globals, "tasks run-all", question, false))) return;
    }
    const options = { onProgress: progressBar(globals) };
    const data = await caller.call("tasks.runAll", { dryRun: isDry }, options);
    const lines = data.results.flatMap((each) => [`${each.task}: ${resultText(each)}`, ...each.findings]);
    report(globals, "tasks run-all", lines.join("\n"), data);
    if (data.results.some(({ outcome }) => outcome === "failed")) process.exitCode = 1;
  });
}

/** Nothing that belongs to anybody would go. */
function isHarmless({ removedAccounts, removedMessages }: Result): boolean {
  return removedAccounts + removedMessages === 0;
}

function resultText(result: Result): string {
  const { outcome, dryRun: isDry, accounts, messages, tookMs } = result;
  const looked = messages > 0 ? `${messages} messages of ${accounts} accounts` : `${accounts} accounts`;
  const took = `${(tookMs / 1000).toFixed(1)} s`;
  return `${outcome} in ${took}: ${looked} looked at, ${isDry ? "would " : "did "}${removedText(result)}`;
}

function removedText({ removedAccounts, removedMessages, removedBytes }: Result): string {
  const parts = [
    ...(removedAccounts > 0 ? [`remove ${removedAccounts} accounts`] : []),
    ...(removedMessages > 0 ? [`delete ${removedMessages} messages`] : []),
    ...(removedBytes > 0 ? [`free ${removedBytes} bytes`] : []),
  ];
  return parts.length > 0 ? parts.join(", ") : "delete nothing";
}

function ageText(ms: number): string {
  if (ms % 86_400_000 === 0) return `${ms / 86_400_000}d`;
  return ms % 3_600_000 === 0 ? `${ms / 3_600_000}h` : `${Math.round(ms / 60_000)}m`;
}
