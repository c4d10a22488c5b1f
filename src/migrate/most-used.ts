import { type Address, type Domain, domainOf } from "../core/address.ts";

/** Domains by the number of their accounts, `first` in front. */
export function mostUsed(addresses: readonly Address[], first?: Domain): Domain[] {
  const counts = new Map<Domain, number>();
  for (const address of addresses) counts.set(domainOf(address), (counts.get(domainOf(address)) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]).map(([domain]) => domain);
  return first === undefined ? sorted : [first, ...sorted.filter((domain) => domain !== first)];
}
