/**
 * How a command reaches the running relay: HTTP on a unix socket in the state directory, which only the relay's user
 * may enter. `POST /call/<operation>` with the input as JSON; the answer is one JSON object a line: any number of
 * `{"progress":…}`, then `{"result":…}` or `{"fault":…,"message":…}`. No last line: the relay stopped in the middle.
 */
import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { parseJson } from "../core/json.ts";
import type { Log } from "../log/events.ts";
import { type CallOptions, OperationError, type OperationFault } from "../operations/operation.ts";
import type { Caller, Operations } from "../operations/operations.ts";

/** Of one input: an import of accounts is the largest. */
const INPUT_MAX_BYTES = 64 * 1024 * 1024;
/** `sun_path` of unix(7) with its end. */
const SOCKET_PATH_MAX_BYTES = 107;
/** Work may be silent for as long as it takes: 0 is for ever. */
const IDLE_TIMEOUT_SEC = 0;

const faults = [
  "invalid",
  "notFound",
  "conflict",
  "refused",
  "notRunning",
  "running",
  "unavailable",
  "failed",
] as const satisfies readonly OperationFault[];

const answerLine = z.union([
  z.strictObject({
    progress: z.object({ done: z.number(), total: z.number().optional(), what: z.string() }),
  }),
  z.strictObject({ result: z.unknown() }),
  z.strictObject({ fault: z.enum(faults), message: z.string() }),
]);

export function controlSocketPath(stateDir: string): string {
  return join(stateDir, "control.sock");
}

export class ControlServer {
  readonly #path: string;
  readonly #operations: Operations;
  readonly #log: Log;
  #server: Bun.Server<undefined> | undefined;

  constructor(stateDir: string, operations: Operations, log: Log) {
    this.#path = controlSocketPath(stateDir);
    this.#operations = operations;
    this.#log = log;
  }

  /** A relay without it still carries mail: trouble is told, not thrown. */
  start(): void {
    if (Buffer.byteLength(this.#path) > SOCKET_PATH_MAX_BYTES) {
      const text =
        "no control socket: the path of the state directory is too long for one; commands need the relay stopped";
      return this.#log.emit({ kind: "notice", text });
    }
    try {
      // What a crash left; the lock on the directory says that nobody answers there.
      rmSync(this.#path, { force: true });
      this.#server = Bun.serve({
        unix: this.#path,
        maxRequestBodySize: INPUT_MAX_BYTES,
        fetch: (request, server) => {
          server.timeout(request, IDLE_TIMEOUT_SEC);
          return this.#answer(request);
        },
        error: (error) => {
          this.#log.emit({ kind: "internalFault", where: "control", error });
          return new Response(line({ fault: "failed", message: "internal fault" }), { status: 500 });
        },
      });
      chmodSync(this.#path, 0o600);
    } catch (error) {
      this.#log.emit({ kind: "internalFault", where: "control socket", error });
    }
  }

  async stop(): Promise<void> {
    await this.#server?.stop(true);
    this.#server = undefined;
    rmSync(this.#path, { force: true });
  }

  async #answer(request: Request): Promise<Response> {
    const name = /^\/call\/([a-zA-Z.]{1,80})$/.exec(new URL(request.url).pathname)?.[1];
    if (request.method !== "POST" || name === undefined) return new Response("not found\n", { status: 404 });
    const input = parseJson(await request.text());
    const work = (onProgress: NonNullable<CallOptions["onProgress"]>) =>
      this.#operations.callUnknown(
        name,
        input,
        { face: "cli", scope: "full" },
        { onProgress, signal: request.signal },
      );
    return new Response(answerStream(work), { headers: { "content-type": "application/x-ndjson" } });
  }
}

function answerStream(
  work: (onProgress: NonNullable<CallOptions["onProgress"]>) => Promise<unknown>,
): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async start(controller) {
      const say = (value: unknown) => controller.enqueue(new TextEncoder().encode(line(value)));
      try {
        say({ result: await work((progress) => say({ progress })) });
      } catch (error) {
        const told = error instanceof OperationError ? error : new OperationError("failed", "internal fault");
        say({ fault: told.fault, message: told.message });
      }
      controller.close();
    },
  });
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** The other end, in the command. */
export function controlCaller(stateDir: string): Caller {
  return {
    async call(name, input, options = {}) {
      const response = await connect(stateDir, name, input, options.signal);
      const result = await lastLine(response, options.onProgress);
      // Both ends are the same program, and the relay has checked its result against the operation's schema.
      return result as never;
    },
  };
}

async function connect(
  stateDir: string,
  name: string,
  input: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  try {
    return await fetch(`http://relay/call/${name}`, {
      method: "POST",
      body: JSON.stringify(input),
      unix: controlSocketPath(stateDir),
      // Bun gives up on silence after five minutes otherwise.
      timeout: false,
      ...(signal === undefined ? {} : { signal }),
    } as RequestInit);
  } catch (error) {
    const message = "a relay runs on this state directory, but does not answer on its control socket";
    throw new OperationError("unavailable", message, { cause: error });
  }
}

async function lastLine(response: Response, onProgress: CallOptions["onProgress"]): Promise<unknown> {
  const cut = new OperationError(
    "unavailable",
    "the relay stopped in the middle of it: see whether it was done",
  );
  let rest = "";
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body ?? []) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const text of lines) {
        const answer = answerLine.safeParse(parseJson(text));
        if (!answer.success) throw new OperationError("failed", "the relay's answer makes no sense");
        if ("progress" in answer.data) {
          const { done, what, total } = answer.data.progress;
          onProgress?.({ done, what, ...(total === undefined ? {} : { total }) });
        } else if ("fault" in answer.data) throw new OperationError(answer.data.fault, answer.data.message);
        else return answer.data.result;
      }
    }
  } catch (error) {
    if (error instanceof OperationError) throw error;
    throw new OperationError(cut.fault, cut.message, { cause: error });
  }
  throw cut;
}
