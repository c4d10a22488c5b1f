/** Questions on the terminal. Where the input is a pipe (`curl … | sh`), the terminal itself is opened. */
import { createReadStream, openSync } from "node:fs";
import { createInterface, type Interface } from "node:readline/promises";
import { CommandError } from "./output.ts";

const TERMINAL = "/dev/tty";

export class Questions implements Disposable {
  readonly #lines: Interface;

  /** @throws {CommandError} where nobody can be asked */
  constructor(instead: string) {
    if (!process.stdout.isTTY) throw new CommandError(`nobody can be asked here; ${instead}`);
    this.#lines = createInterface({ input: terminal(instead), output: process.stdout, terminal: true });
  }

  /** Asks until `read` takes the answer. @param read throws an Error that says what is wrong with it */
  async ask<T>(question: string, fallback: string | undefined, read: (answer: string) => T): Promise<T> {
    const shown = fallback === undefined ? `${question}: ` : `${question} [${fallback}]: `;
    for (;;) {
      const answer = (await this.#lines.question(shown)).trim() || fallback;
      if (answer === undefined) continue;
      try {
        return read(answer);
      } catch (error) {
        process.stdout.write(`  ${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
  }

  /** A question with two answers. */
  yes(question: string, fallback: boolean): Promise<boolean> {
    return this.ask(`${question} (yes or no)`, fallback ? "yes" : "no", (answer) => {
      if (/^y(es)?$/i.test(answer)) return true;
      if (/^no?$/i.test(answer)) return false;
      throw new Error("yes or no, please");
    });
  }

  [Symbol.dispose](): void {
    this.#lines.close();
  }
}

function terminal(instead: string): NodeJS.ReadableStream {
  if (process.stdin.isTTY) return process.stdin;
  try {
    return createReadStream("", { fd: openSync(TERMINAL, "r") });
  } catch (error) {
    throw new CommandError(`nobody can be asked here; ${instead}`, { cause: error });
  }
}
