/** What falls due when: a binary heap, so that one timer serves thousands. */

export class DueHeap<T> {
  #items: { dueMs: number; value: T }[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** When the earliest is due; Infinity when there is none. */
  get nextDueMs(): number {
    return this.#items[0]?.dueMs ?? Infinity;
  }

  push(dueMs: number, value: T): void {
    const items = this.#items;
    const item = { dueMs, value };
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent];
      if (above === undefined || above.dueMs <= dueMs) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  /** Takes the earliest out if it is due. */
  popDue(nowMs: number): T | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.at(-1);
    if (first === undefined || last === undefined || first.dueMs > nowMs) return undefined;
    items.pop();
    if (items.length > 0) this.#sink(last);
    return first.value;
  }

  /** Takes out what does not pass. @returns what was taken */
  keep(wanted: (value: T) => boolean): T[] {
    const taken: T[] = [];
    const kept = this.#items.filter(({ value }) => {
      if (wanted(value)) return true;
      taken.push(value);
      return false;
    });
    if (taken.length > 0) {
      this.#items = [];
      for (const { dueMs, value } of kept) this.push(dueMs, value);
    }
    return taken;
  }

  #sink(item: { dueMs: number; value: T }): void {
    const items = this.#items;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const [a, b] = [items[left], items[left + 1]];
      const child = b !== undefined && a !== undefined && b.dueMs < a.dueMs ? left + 1 : left;
      const below = items[child];
      if (below === undefined || below.dueMs >= item.dueMs) break;
      items[at] = below;
      at = child;
    }
    items[at] = item;
  }
}
