/** Requests about an allocation that exists: Refresh, CreatePermission, ChannelBind (RFC 8656 §8, §10, §12). */
import type { Action, Front } from "./actions.ts";
import { readFamily, readLifetime } from "./allocate.ts";
import type { Allocation } from "./allocation.ts";
import { type Family, formatIp } from "./ip.ts";
import { CHANNEL_MAX, CHANNEL_MIN, LIFETIME_DEFAULT_S } from "./limits.ts";
import { isForbiddenNetwork } from "./peer-filter.ts";
import type { SignedRequest, Status } from "./replies.ts";
import { attributeOf, attributes, readU16, readXorAddress, type StunMessage } from "./stun.ts";
import { answer, endAllocation, refuse, type World } from "./world.ts";

interface PeerEndpoint {
  readonly address: string;
  readonly port: number;
}

export function refresh<F extends Front>(
  world: World<F>,
  allocation: Allocation<F>,
  request: SignedRequest<F>,
  nowMs: number,
): Action<F>[] {
  const wantedS = readLifetime(request.message);
  const familyValue = attributeOf(request.message, attributes.requestedAddressFamily);
  if (wantedS === undefined) return refuse(world, request, 400);
  if (familyValue !== undefined && readFamily(familyValue) !== allocation.relay.family) {
    return refuse(world, request, 443);
  }
  const lifetimeS = wantedS === 0 ? 0 : Math.max(wantedS, LIFETIME_DEFAULT_S);
  const ended = lifetimeS === 0 ? endAllocation(world, allocation) : [];
  allocation.expiresMs = nowMs + lifetimeS * 1000;
  const bytes = world.replies.success(request, (writer) => writer.u32(attributes.lifetime, lifetimeS));
  return [answer(request, bytes), ...ended];
}

/** All peers of the request or none. */
export function createPermission<F extends Front>(
  world: World<F>,
  allocation: Allocation<F>,
  request: SignedRequest<F>,
  nowMs: number,
): Action<F>[] {
  const { message } = request;
  const values = message.attributes.filter(({ type }) => type === attributes.xorPeerAddress);
  if (values.length === 0) return refuse(world, request, 400);
  const addresses: string[] = [];
  for (const { value } of values) {
    const peer = readPeer(world, message, value, allocation.relay.family);
    if (typeof peer === "number") return refuse(world, request, peer);
    addresses.push(peer.address);
  }
  if (!allocation.hasRoomFor(addresses, nowMs)) return refuse(world, request, 508);
  for (const address of addresses) allocation.permit(address, nowMs);
  return [answer(request, world.replies.success(request))];
}

export function channelBind<F extends Front>(
  world: World<F>,
  allocation: Allocation<F>,
  request: SignedRequest<F>,
  nowMs: number,
): Action<F>[] {
  const { message } = request;
  const numberValue = attributeOf(message, attributes.channelNumber);
  const peerValue = attributeOf(message, attributes.xorPeerAddress);
  if (numberValue?.length !== 4 || peerValue === undefined) return refuse(world, request, 400);
  const number = readU16(numberValue, 0);
  if (number < CHANNEL_MIN || number > CHANNEL_MAX) return refuse(world, request, 400);
  const peer = readPeer(world, message, peerValue, allocation.relay.family);
  if (typeof peer === "number") return refuse(world, request, peer);
  if (peer.port === 0) return refuse(world, request, 400);
  if (!allocation.hasRoomFor([peer.address], nowMs)) return refuse(world, request, 508);
  const outcome = allocation.bindChannel(number, peer.address, peer.port, nowMs);
  if (outcome === "taken") return refuse(world, request, 400);
  if (outcome === "full") return refuse(world, request, 508);
  return [answer(request, world.replies.success(request))];
}

function readPeer<F extends Front>(
  world: World<F>,
  message: StunMessage,
  value: Uint8Array,
  family: Family,
): PeerEndpoint | Extract<Status, 400 | 403 | 443> {
  const peer = readXorAddress(value, message.transactionId);
  if (peer === undefined) return 400;
  const { ip, port } = peer;
  if ((ip.length === 4) !== (family === 4)) return 443;
  const address = formatIp(ip);
  return isForbiddenPeer(world, address, ip, family) ? 403 : { address, port };
}

/**
 * Our relayed address stays open, because the peer of a call is often another client of this relay; what is sent there
 * goes from allocation to allocation and never to a service of this machine.
 */
function isForbiddenPeer<F extends Front>(
  { settings }: World<F>,
  address: string,
  ip: Uint8Array,
  family: Family,
): boolean {
  if (settings.allowPrivatePeers || settings.relayAddresses[family] === address) return false;
  return settings.ownAddresses.has(address) || isForbiddenNetwork(ip);
}
