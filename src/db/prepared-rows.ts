/** What repositories share: their statements are prepared at first use, as constructors do no I/O. */

export abstract class PreparedRows<Statements> {
  readonly #prepare: () => Statements;
  #prepared: Statements | undefined;

  constructor(prepare: () => Statements) {
    this.#prepare = prepare;
  }

  protected get statements(): Statements {
    this.#prepared ??= this.#prepare();
    return this.#prepared;
  }
}
