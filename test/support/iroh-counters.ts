/** What the relay tells at its stop about the iroh relay in it. */
import type { Relay } from "./relay.ts";

/** Counters that are not zero, by name. @throws {Error} when the relay, stopped, told nothing */
export function irohCounters(relay: Relay): Record<string, number> {
  const told = /iroh relay: ([^"]*)/.exec(relay.output)?.[1];
  if (told === undefined) throw new Error("the relay told nothing about iroh");
  return Object.fromEntries(
    told.split(", ").map((pair) => {
      const [name = "", count] = pair.split(" ");
      return [name, Number(count)];
    }),
  );
}
