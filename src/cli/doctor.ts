/** `madmail doctor`: everything looked over in one go, in plain words. */
import { existsSync } from "node:fs";
import { defineCommand } from "citty";
import { checkWithoutBooks } from "../app/survey.ts";
import { type Config, ConfigError } from "../config/config.ts";
import { type Domain, parseDomain } from "../core/address.ts";
import type { CheckResult } from "../doctor/check.ts";
import type { Globals } from "./globals.ts";
import { configOf, operate, progressBar } from "./operate.ts";
import { CommandError, report } from "./output.ts";

const marks = { ok: "ok", warn: "WARN", fail: "FAIL", skipped: "-" } as const;
const MARK_WIDTH = 6;
const TITLE_WIDTH = 32;

interface Choices {
  peer: Domain | undefined;
  offline: boolean;
}

export function doctorCommand(globals: Globals) {
  return defineCommand({
    meta: {
      name: "doctor",
      description: "Look everything over and tell what is wrong; exit code 1 when something fails",
    },
    args: {
      peer: { type: "string", description: "Domain of another server to try to reach" },
      offline: { type: "boolean", description: "Ask no other machine: no DNS, no peers" },
    },
    async run({ args }) {
      const checks = await examine(globals, { peer: domainOf(args.peer), offline: args.offline === true });
      const failed = checks.filter(({ state }) => state === "fail").length;
      report(globals, "doctor", textOf(checks), { healthy: failed === 0, checks });
      if (failed > 0) process.exitCode = 1;
    },
  });
}

/** What can't be looked at is told as a finding: the doctor is for when things are broken. */
async function examine(globals: Globals, { peer, offline }: Choices): Promise<CheckResult[]> {
  let config: Config;
  try {
    config = configOf(globals);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [unreadable(error.message)];
  }
  const blind = (why: string) => checkWithoutBooks(config, why, { mayAsk: !offline, peer });
  if (!existsSync(config.stateDir)) return blind("it does not exist yet: start the relay once");
  try {
    return await operate(globals, async (caller) => {
      const input = { offline, ...(peer === undefined ? {} : { peer }) };
      const { checks } = await caller.call("doctor.run", input, { onProgress: progressBar(globals) });
      return checks;
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return blind(error.message);
  }
}

function unreadable(message: string): CheckResult {
  const mend = "mend what it says; `madmail config check` tells the same, and docs/config.md lists every key";
  const troubles = [{ weight: "fail" as const, what: message, mend }];
  return { name: "configuration", title: "Configuration", state: "fail", said: "", troubles, ms: 0 };
}

/** @throws {CommandError} */
function domainOf(text: string | undefined): Domain | undefined {
  if (text === undefined) return undefined;
  const parsed = parseDomain(text);
  if (parsed === undefined)
    throw new CommandError(`--peer: expected a domain or an IP address, found ${text}`);
  return parsed;
}

function textOf(checks: readonly CheckResult[]): string {
  const count = (state: CheckResult["state"]) => checks.filter((check) => check.state === state).length;
  const end = `${count("ok")} ok, ${count("warn")} to look at, ${count("fail")} failed, ${count("skipped")} skipped`;
  return [...checks.flatMap(linesOf), "", end].join("\n");
}

function linesOf({ state, title, said, troubles }: CheckResult): string[] {
  const head = `${marks[state].padEnd(MARK_WIDTH)}${title.padEnd(TITLE_WIDTH)}`;
  const indent = " ".repeat(MARK_WIDTH);
  const told = troubles.flatMap(({ what, mend }) => [`${indent}  ${what}`, `${indent}  -> ${mend}`]);
  return [`${head}${troubles.length === 0 ? said : ""}`.trimEnd(), ...told];
}
