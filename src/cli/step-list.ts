/** Shows the steps of an installation or upgrade as they are done, and keeps them for --json. */
import type { RunOptions, StepOutcome } from "../app/install/steps.ts";
import type { Globals } from "./globals.ts";

const words: Record<StepOutcome, string> = { kept: "there", would: "would", did: "done" };

export class StepList {
  readonly steps: { step: string; outcome: StepOutcome; remark?: string }[] = [];
  readonly #globals: Globals;

  constructor(globals: Globals) {
    this.#globals = globals;
  }

  options(dryRun: boolean): RunOptions {
    return { dryRun, onStep: (name, outcome, remark) => this.add(name, outcome, remark) };
  }

  add(step: string, outcome: StepOutcome, remark: string | undefined): void {
    this.steps.push({ step, outcome, ...(remark === undefined ? {} : { remark }) });
    if (this.#globals.json) return;
    process.stdout.write(`${words[outcome].padEnd(7)}${step}\n`);
    if (remark !== undefined) process.stdout.write(`       ${remark}\n`);
  }
}
