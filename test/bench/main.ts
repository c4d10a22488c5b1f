/**
 * `bun run bench [names…] [--json]`: measures the compiled relay over real TLS and prints the figures beside the
 * budgets of the design. Fresh directory per run. Names of files beside this one (gate, storage, login) run those.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compressed, idle } from "./idle.ts";
import { type Figure, machineFacts, machineTimes, removeLeftovers, type Scenario } from "./lab.ts";
import { latency } from "./latency.ts";
import { logins, reading } from "./reading.ts";
import { start, version } from "./start.ts";
import { fanout, throughput } from "./throughput.ts";

/** With more CPUs than this taken away by the hypervisor or used by other programs, figures say little. */
const NOISE_MAX_CPUS = 0.3;

const scenarios: readonly Scenario[] = [
  version,
  start,
  latency,
  throughput,
  fanout,
  logins,
  reading,
  idle,
  compressed,
];
const own = ["main.ts", "lab.ts", "idle.ts", "latency.ts", "reading.ts", "start.ts", "throughput.ts"];
const alone = readdirSync(import.meta.dir)
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !own.includes(file))
  .map((file) => file.slice(0, -3));

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: { json: { type: "boolean", default: false } },
  allowPositionals: true,
});
const names = positionals.length > 0 ? positionals : [...scenarios.map((s) => s.name), ...alone];
const unknown = names.filter((name) => !scenarios.some((s) => s.name === name) && !alone.includes(name));
if (unknown.length > 0) {
  const known = [...scenarios.map((s) => s.name), ...alone].join(", ");
  console.error(`nothing is called ${unknown.join(", ")}; there are: ${known}`);
  process.exit(2);
}

interface Outcome {
  scenario: string;
  figures: Figure[];
  /** CPUs that were not there for the measurement, on average. */
  stolenCpus: number;
  othersCpus: number;
  error?: string;
}

const outcomes: Outcome[] = [];
for (const scenario of scenarios.filter((s) => names.includes(s.name))) {
  if (!values.json) console.error(`measuring ${scenario.name} …`);
  outcomes.push(await measure(scenario));
}
const texts: string[] = [];
for (const name of alone.filter((n) => names.includes(n))) {
  if (!values.json) console.error(`measuring ${name} …`);
  texts.push(`### ${name}\n\n\`\`\`\n${(await runAlone(name)).trimEnd()}\n\`\`\``);
}

removeLeftovers();
const facts = machineFacts();
if (values.json) console.log(JSON.stringify({ machine: facts, outcomes, texts }));
else printReport();
process.exit(outcomes.some((outcome) => outcome.error !== undefined) ? 1 : 0);

async function measure(scenario: Scenario): Promise<Outcome> {
  const startedAt = performance.now();
  const before = machineTimes();
  const noise = () => {
    const after = machineTimes();
    const ms = performance.now() - startedAt;
    return {
      stolenCpus: (after.stolen - before.stolen) / ms,
      othersCpus: Math.max(0, after.others - before.others) / ms,
    };
  };
  try {
    const figures = await scenario.run();
    return { scenario: scenario.name, figures, ...noise() };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { scenario: scenario.name, figures: [], error: text, ...noise() };
  }
}

async function runAlone(name: string): Promise<string> {
  const file = join(import.meta.dir, `${name}.ts`);
  if (!existsSync(file)) return "";
  const child = Bun.spawn([process.execPath, file], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return out + err;
}

function printReport(): void {
  for (const fact of facts) console.log(`- ${fact}`);
  console.log("\n| Figure | Measured | Budget | |\n|---|--:|--:|---|");
  for (const { figures } of outcomes) for (const figure of figures) console.log(row(figure));
  for (const { scenario, error } of outcomes)
    if (error !== undefined) console.log(`\n${scenario} failed: ${error}`);
  for (const { scenario, stolenCpus, othersCpus } of outcomes) {
    if (Math.max(stolenCpus, othersCpus) <= NOISE_MAX_CPUS) continue;
    const taken = `${othersCpus.toFixed(2)} CPUs used by other programs, ${stolenCpus.toFixed(2)} stolen`;
    console.log(`\n${scenario}: ${taken}; measure again on a quiet machine`);
  }
  for (const text of texts) console.log(`\n${text}`);
}

function row({ name, value, unit, budget, note }: Figure): string {
  const met = budget === undefined ? "" : isMet(value, budget) ? "met" : "**missed**";
  const bound =
    budget === undefined
      ? ""
      : "max" in budget
        ? `≤ ${show(budget.max)} ${unit}`
        : `≥ ${show(budget.min)} ${unit}`;
  return `| ${name} | ${show(value)} ${unit} | ${bound} | ${[met, note].filter(Boolean).join("; ")} |`;
}

function isMet(value: number, budget: NonNullable<Figure["budget"]>): boolean {
  return "max" in budget ? value <= budget.max : value >= budget.min;
}

function show(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { minimumFractionDigits: 0, maximumFractionDigits: digits });
}
