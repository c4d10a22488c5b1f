/** What the engine's parts share. */
import type { Action, Front, TurnCounters, TurnSettings } from "./actions.ts";
import type { Allocation, AllocationTable } from "./allocation.ts";
import type { RelayPorts, RelaySocket } from "./relay-ports.ts";
import type { Replies, SignedRequest, Status } from "./replies.ts";

export interface World<F extends Front> {
  settings: TurnSettings;
  readonly table: AllocationTable<F>;
  readonly ports: RelayPorts;
  readonly replies: Replies;
  readonly counters: TurnCounters;
  readonly random: (bytes: number) => Uint8Array;
  /** What counts as one address in quotas: of IPv6 a network. */
  readonly networkOf: (address: string) => string;
  /** Open sockets and their allocations, by number. Reserved ones are not here. */
  readonly owners: Map<number, { readonly socket: RelaySocket; readonly allocation: Allocation<F> }>;
}

export function answer<F extends Front>(request: SignedRequest<F>, bytes: Uint8Array): Action<F> {
  return { do: "answer", to: request.client, bytes };
}

export function refuse<F extends Front>(
  world: World<F>,
  request: SignedRequest<F>,
  status: Status,
  unknown?: readonly number[],
): Action<F>[] {
  countRefusal(world, status);
  return [answer(request, world.replies.error(request, status, unknown))];
}

export function countRefusal<F extends Front>({ counters }: World<F>, status: Status): void {
  counters.refusals[status] = (counters.refusals[status] ?? 0) + 1;
}

/** Ends an allocation; its socket goes with it. */
export function endAllocation<F extends Front>(world: World<F>, allocation: Allocation<F>): Action<F>[] {
  world.table.remove(allocation);
  world.owners.delete(allocation.relay.number);
  world.ports.free(allocation.relay);
  return [{ do: "unbind", relay: allocation.relay.number }];
}
