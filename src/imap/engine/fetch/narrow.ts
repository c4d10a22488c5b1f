/**
 * Narrows a cached header block to what was asked. The cache holds `prefetchFields` only, and clients ask for nearly
 * all of them, so this looks for the few that are not wanted: mostly there are none and the block goes out as it is.
 */
import { CR, LF, lowerByte, SP, startsWithIgnoreCase, TAB } from "../../../core/bytes.ts";
import { selectFieldsNot } from "../../../mime/header.ts";

export class Narrower {
  readonly #unwanted: ReadonlySet<string>;
  readonly #names: readonly string[];
  /** Lower-case first letters of the unwanted names: 1 where one begins so. */
  readonly #initials = new Uint8Array(256);

  /** @param cached what blocks may hold; @param wanted a subset of it. Lower case both */
  constructor(cached: ReadonlySet<string>, wanted: ReadonlySet<string>) {
    this.#names = [...cached].filter((name) => !wanted.has(name));
    this.#unwanted = new Set(this.#names);
    for (const name of this.#names) this.#initials[name.charCodeAt(0)] = 1;
  }

  /** The wanted lines of a block of whole lines; the block itself when that is all of them. */
  narrow(block: Uint8Array): Uint8Array {
    if (this.#names.length === 0) return block;
    for (let at = 0; at < block.length; at = this.#nextLine(block, at)) {
      if (this.#initials[lowerByte(block[at] ?? 0)] === 1 && this.#isUnwanted(block, at)) {
        return selectFieldsNot(block, this.#unwanted);
      }
    }
    return block;
  }

  #isUnwanted(block: Uint8Array, at: number): boolean {
    return this.#names.some((name) => {
      if (!startsWithIgnoreCase(block, name, at)) return false;
      // A longer name may begin alike; blanks before the colon are obsolete syntax (RFC 5322 §4.5).
      const after = block[at + name.length];
      return after === 58 || after === SP || after === TAB || after === CR;
    });
  }

  #nextLine(block: Uint8Array, at: number): number {
    const end = block.indexOf(LF, at);
    return end < 0 ? block.length : end + 1;
  }
}
