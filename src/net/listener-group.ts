/**
 * Listeners that are wanted together, and move together while connections on the others live on.
 *
 * Invariants
 * - A new address is bound before an old one is given up, except where both want the same port.
 * - A change that fails leaves everything as it was; at worst an address that had to be given up first can't be had
 *   again, and that is thrown too.
 * - Connections of a listener that goes are told goodbye; nobody waits for them but `stop`.
 */
import { type Listener, ListenError } from "./listener.ts";

/** A place to listen at. */
export interface ListenPlace {
  /** The same text is the same place: it is left alone. */
  readonly key: string;
  /** 0 is any. */
  readonly port: number;
  /** @returns undefined where the machine can't have it and need not @throws {ListenError} (as a rejection) */
  open(): Promise<Listener | undefined>;
}

interface Held {
  readonly place: ListenPlace;
  readonly listener: Listener | undefined;
}

export class ListenerGroup {
  readonly #held = new Map<string, Held>();
  /** Given up, with connections that have not left yet. */
  readonly #leaving = new Set<Promise<void>>();
  /** Their port went to nobody, so their connections stay. */
  readonly #homeless = new Set<Listener>();

  /** In the order of the places. */
  get listeners(): Listener[] {
    return [...this.#held.values()].flatMap(({ listener }) => listener ?? []);
  }

  /** Those whose place has a key that begins so. */
  at(prefix: string): Listener[] {
    return [...this.#held.values()].flatMap(({ place, listener }) =>
      listener !== undefined && place.key.startsWith(prefix) ? [listener] : [],
    );
  }

  /** From now on it is these places. @throws {ListenError} for the first that can't be had; then all is as before */
  async change(places: readonly ListenPlace[]): Promise<void> {
    const wanted = new Set(places.map(({ key }) => key));
    const going = [...this.#held.values()].filter(({ place }) => !wanted.has(place.key));
    const opened: Held[] = [];
    const released = new Set<Held>();
    try {
      for (const place of places.filter(({ key }) => !this.#held.has(key))) {
        const inTheWay = going.filter(({ listener }) => place.port !== 0 && listener?.port === place.port);
        for (const held of inTheWay) {
          held.listener?.release();
          released.add(held);
        }
        opened.push({ place, listener: await place.open() });
      }
    } catch (error) {
      for (const { listener } of opened) if (listener !== undefined) this.#let(listener);
      throw await this.#takeBack(released, error);
    }
    const next = new Map([...this.#held.values(), ...opened].map((held) => [held.place.key, held]));
    this.#held.clear();
    for (const { key } of places) {
      const held = next.get(key);
      if (held !== undefined) this.#held.set(key, held);
    }
    for (const { listener } of going) if (listener !== undefined) this.#let(listener);
  }

  /** Says goodbye to every connection, and waits until they are gone. */
  async stop(): Promise<void> {
    for (const listener of [...this.listeners, ...this.#homeless]) this.#let(listener);
    this.#held.clear();
    this.#homeless.clear();
    await Promise.all(this.#leaving);
  }

  #let(listener: Listener): void {
    const left: Promise<void> = listener.stop().finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  /** @returns what to throw: `error`, and what was lost besides */
  async #takeBack(released: ReadonlySet<Held>, error: unknown): Promise<unknown> {
    for (const { place, listener } of released) {
      if (listener !== undefined) this.#homeless.add(listener);
      try {
        this.#held.set(place.key, { place, listener: await place.open() });
      } catch (trouble) {
        this.#held.delete(place.key);
        if (!(trouble instanceof ListenError) || !(error instanceof ListenError)) return trouble;
        return new ListenError(`${error.message}; and ${trouble.message}`, trouble.code, error);
      }
    }
    return error;
  }
}
