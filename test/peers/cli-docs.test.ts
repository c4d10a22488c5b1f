/** Completions and the manual page of the executable, judged by the shells and by man's own linter where they are there. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runMadmail } from "../support/relay.ts";

/** What bash offers after the words of `line`; the last one is being typed. */
async function bashOffers(script: string, line: string): Promise<string[]> {
  const words = line.split(" ");
  const directory = mkdtempSync(join(tmpdir(), "madmail-completion-"));
  try {
    const file = join(directory, "madmail.bash");
    writeFileSync(file, script);
    const ask = `source ${file}; COMP_WORDS=(${words.join(" ")} ); COMP_CWORD=${words.length - 1}; _madmail; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const bash = Bun.spawn(["bash", "-c", ask], { stdout: "pipe", stderr: "pipe" });
    const text = await new Response(bash.stdout).text();
    expect(await new Response(bash.stderr).text()).toBe("");
    return text.trim().split("\n");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe("completion", () => {
  test("bash completes commands, their commands and their flags", async () => {
    const { code, output } = await runMadmail(["completion", "bash"]);
    expect(code).toBe(0);
    expect(await bashOffers(output, "madmail que")).toEqual(["queue"]);
    expect(await bashOffers(output, "madmail queue re")).toEqual(["retry", "remove"]);
    expect(await bashOffers(output, "madmail --json queue list --do")).toEqual(["--domain"]);
  });

  test("another shell is an error that names those there are", async () => {
    const { code, output } = await runMadmail(["completion", "tcsh"]);
    expect(code).toBe(1);
    expect(output).toContain("bash, zsh or fish");
  });

  test.each(["zsh", "fish"])("%s gets a script that knows the commands", async (shell) => {
    const { code, output } = await runMadmail(["completion", shell]);
    expect(code).toBe(0);
    expect(output).toContain("madmail");
    expect(output).toContain("queue");
  });
});

test("the manual page has a line for each command", async () => {
  const { code, output } = await runMadmail(["manual"]);
  expect(code).toBe(0);
  expect(output.startsWith(".TH MADMAIL 1")).toBe(true);
  for (const command of ["run", "queue retry", "dns check"]) expect(output).toContain(`madmail ${command}`);
});
