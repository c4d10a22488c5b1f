/**
 * A change of the machine as a list of steps. Each looks whether it is done, and does it so that a kill at any moment
 * leaves the old state or the new one. Running the list again finishes what was interrupted.
 */

/** What the operator should know of a step, if there is anything. */
type Remark = string | void;

export interface Step {
  /** What it makes, for the operator: `user madmail`. */
  name: string;
  /** Whether there is nothing to do. */
  isDone(): boolean | Promise<boolean>;
  /** Does it. @returns a remark for the operator, if there is one */
  apply(): Remark | Promise<Remark>;
}

export type StepOutcome = "kept" | "would" | "did";

export interface RunOptions {
  /** Only says what it would do. */
  dryRun: boolean;
  onStep(name: string, outcome: StepOutcome, remark: string | undefined): void;
  /** Stops before that step, as a power cut would; for tests. */
  stopBefore?: number | undefined;
}

/** @throws what a step throws; those before it stay done */
export async function runSteps(steps: readonly Step[], options: RunOptions): Promise<void> {
  for (const [index, step] of steps.entries()) {
    if (index === options.stopBefore) return;
    if (await step.isDone()) {
      options.onStep(step.name, "kept", undefined);
    } else if (options.dryRun) {
      options.onStep(step.name, "would", undefined);
    } else {
      const remark = await step.apply();
      options.onStep(step.name, "did", typeof remark === "string" ? remark : undefined);
    }
  }
}
