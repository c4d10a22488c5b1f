/** TXT records by a program of the operator: `PROGRAM … present NAME VALUE` and `PROGRAM … cleanup NAME VALUE`. */
import type { DnsProvider } from "./dns-provider.ts";

const TIMEOUT_MS = 120_000;
/** Of what the program prints, told to the operator when it fails. */
const TOLD_MAX_CHARS = 300;

export class DnsHook implements DnsProvider {
  readonly #command: readonly string[];

  /** @param command program and arguments; run directly, not through a shell */
  constructor(command: readonly string[]) {
    this.#command = command;
  }

  present(name: string, value: string, stop: AbortSignal): Promise<void> {
    return this.#run(["present", name, value], stop);
  }

  remove(name: string, value: string): Promise<void> {
    return this.#run(["cleanup", name, value]);
  }

  async #run(args: readonly string[], stop?: AbortSignal): Promise<void> {
    const [program = ""] = this.#command;
    const child = Bun.spawn([...this.#command, ...args], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      timeout: TIMEOUT_MS,
      killSignal: "SIGKILL",
      ...(stop === undefined ? {} : { signal: stop }),
    });
    const [complaint, code] = await Promise.all([lastChars(child.stderr), child.exited]);
    if (code === 0) return;
    const told = complaint.trim().split("\n").at(-1) ?? "";
    throw new Error(`${program} ${args[0] ?? ""} ended with ${child.signalCode ?? code}: ${told}`);
  }
}

/** The end of a stream, however long it is. */
async function lastChars(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text = (text + decoder.decode(chunk, { stream: true })).slice(-TOLD_MAX_CHARS);
  }
  return text;
}
