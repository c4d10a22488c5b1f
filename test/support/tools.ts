/** Programs of the system that suites talk through: found, or their tests are skipped and named. */

export interface ToolResult {
  code: number;
  /** Both streams, in the order they came to each pipe. */
  output: string;
}

/** For `test.skipIf`: the run counts and names what it skipped. */
export function isMissing(program: string): boolean {
  return Bun.which(program) === null;
}

/** Swaks speaks TLS only where Perl has Net::SSLeay (Debian: libnet-ssleay-perl). */
export function isSwaksMissing(): boolean {
  return isMissing("swaks") || Bun.spawnSync(["perl", "-MNet::SSLeay", "-e", "1"]).exitCode !== 0;
}

/** Runs a program to its end. It is killed after `timeoutMs`, which shows as code -1. */
export async function runTool(
  command: readonly string[],
  options: { input?: string; env?: Record<string, string>; timeoutMs?: number } = {},
): Promise<ToolResult> {
  const child = Bun.spawn([...command], {
    stdin: options.input === undefined ? "ignore" : Buffer.from(options.input),
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs ?? 30_000,
    killSignal: "SIGKILL",
  });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code: child.signalCode === null ? (child.exitCode ?? -1) : -1, output: out + err };
}
