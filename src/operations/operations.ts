/**
 * Calls operations by name: input checked, fault told, every change counted and written to the audit list.
 * Changes run one after the other, so that two operators never see half of each other's work.
 */
import { z } from "zod";
import { ConfigError } from "../config/config.ts";
import { DatabaseError } from "../db/open.ts";
import { StorageError } from "../storage/store.ts";
import type { OperationContext } from "./context.ts";
import { type CallOptions, type Operation, OperationError, type Scope } from "./operation.ts";
import { type OperationName, type OperationTable, operationTable } from "./table.ts";

/** Where a call came from; kept in the audit list. */
export type Face = "cli" | "admin" | "rest";

/** Who calls. */
export interface Who {
  face: Face;
  scope: Scope;
}

export type InputOf<N extends OperationName> = z.input<OperationTable[N]["input"]>;
export type OutputOf<N extends OperationName> = z.output<OperationTable[N]["output"]>;

/** How faces call: in this process, or through the control socket. */
export interface Caller {
  /** @throws {OperationError} with a message for the operator (as a rejection) */
  call<N extends OperationName>(name: N, input: InputOf<N>, options?: CallOptions): Promise<OutputOf<N>>;
}

function isOperationName(name: string): name is OperationName {
  return Object.hasOwn(operationTable, name);
}

export class Operations {
  readonly #context: OperationContext;
  /** The end of the last change that was begun. */
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(context: OperationContext) {
    this.#context = context;
  }

  /** A caller whose changes are told from those of other faces, and who may do no more than `scope` says. */
  as(face: Face, scope: Scope = "full"): Caller {
    return { call: (name, input, options) => this.#call(name, input, { face, scope }, options) };
  }

  /** For faces that have a name and an input off the wire. @throws {OperationError} (as a rejection) */
  callUnknown(name: string, input: unknown, who: Who, options: CallOptions = {}): Promise<unknown> {
    if (!isOperationName(name)) {
      return Promise.reject(new OperationError("notFound", `there is no operation ${name}`));
    }
    return this.#call(name, input as InputOf<typeof name>, who, options);
  }

  async #call<N extends OperationName>(
    name: N,
    input: InputOf<N>,
    { face, scope }: Who,
    options: CallOptions = {},
  ): Promise<OutputOf<N>> {
    // The table ties each name to its types; inside, one shape fits all.
    const operation: Operation = operationTable[name];
    const parsed = operation.input.safeParse(input);
    if (!parsed.success) throw new OperationError("invalid", z.prettifyError(parsed.error));
    if (scope === "read") refuseBeyondReading(operation, parsed.data);
    const { onProgress = () => {}, signal } = options;
    const work = async () => {
      const result = await operation.run(this.#context, parsed.data, { onProgress, signal });
      return operation.output.parse(result) as OutputOf<N>;
    };
    if (operation.permission === "read") return this.#guarded(work);
    if (operation.sideBySide === true) return this.#audited(name, face, work);
    const change = this.#lastChange.then(() => this.#audited(name, face, work));
    this.#lastChange = change.catch(() => {});
    return change;
  }

  async #audited<T>(name: OperationName, face: Face, work: () => Promise<T>): Promise<T> {
    const { state, log } = this.#context;
    let done = false;
    try {
      const result = await this.#guarded(work);
      done = true;
      return result;
    } finally {
      log.emit({ kind: "operation", name, face, done });
      state.audit.add({ operation: name, face, done });
    }
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof OperationError) throw error;
      if (error instanceof DatabaseError || error instanceof StorageError) {
        throw new OperationError("unavailable", error.message, { cause: error });
      }
      if (error instanceof ConfigError) throw new OperationError("invalid", error.message, { cause: error });
      this.#context.log.emit({ kind: "internalFault", where: "operation", error });
      throw new OperationError("failed", "the operation failed inside; nothing more is known", {
        cause: error,
      });
    }
  }
}

/** @throws {OperationError} */
function refuseBeyondReading(operation: Operation, input: unknown): void {
  if (operation.permission !== "read") {
    throw new OperationError("refused", "this session may look, and change nothing");
  }
  if (operation.reveals?.(input) === true) {
    throw new OperationError("refused", "this session may look, but not at secrets");
  }
}
