/** Services beside mail: on and answering. */
import { randomBytes } from "node:crypto";
import { hostOf } from "../core/address.ts";
import type { Check } from "./check.ts";
import { fail, type Finding, found, messageOf, skipped, warn } from "./finding.ts";
import { reachable } from "./line-talk.ts";
import type { World } from "./world.ts";

const STUN_WAIT_MS = 3000;
const STUN_TRIES = 2;
/** RFC 8489 §5. */
const MAGIC_COOKIE = 0x2112a442;

export const serviceChecks: readonly Check[] = [
  { name: "turn", title: "Calls (TURN)", needs: "running", run: checkTurn },
  { name: "iroh", title: "Live apps (iroh relay)", needs: "running", run: checkIroh },
  { name: "push", title: "Push notifications", asksOthers: true, needs: "running", run: checkPush },
];

async function checkTurn({ config, running }: World, stop: AbortSignal): Promise<Finding> {
  if (!config.turn.enabled) return skipped("turned off");
  const [at] = running?.addresses()["turn"] ?? [];
  if (at === undefined)
    return found("", fail("it is on, but listens nowhere", "name addresses for `listen` in [turn]"));
  const advertised = running?.turnAdvertised() === true;
  return found(
    `${at} answers`,
    (await answersStun(at, stop))
      ? undefined
      : fail(`${at} does not answer to STUN by UDP`, "restart the relay; look at a local firewall"),
    advertised
      ? undefined
      : warn(
          "clients are not told of it: no public address is known",
          "set `relay_addresses` in [turn], or `public_address`",
        ),
  );
}

/** A binding request by UDP (RFC 8489 §6). Never rejects. */
async function answersStun(at: string, stop: AbortSignal): Promise<boolean> {
  const { host, port } = reachable(at);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const id = randomBytes(12);
  const request = Buffer.alloc(20);
  request.writeUInt16BE(1, 0);
  request.writeUInt32BE(MAGIC_COOKIE, 4);
  id.copy(request, 8);
  const onStop = () => resolve(false);
  stop.addEventListener("abort", onStop);
  let socket: Bun.udp.Socket<"buffer"> | undefined;
  const timers: ReturnType<typeof setTimeout>[] = [];
  try {
    socket = await Bun.udpSocket({
      hostname: host.includes(":") ? "::" : "0.0.0.0",
      port: 0,
      socket: {
        data: (_, bytes) => resolve(bytes.length >= 20 && bytes.subarray(8, 20).equals(id)),
        // A port that nothing listens on.
        error: () => resolve(false),
      },
    });
    for (let i = 0; i < STUN_TRIES; i++) {
      timers.push(setTimeout(() => socket?.send(request, port, host), (i * STUN_WAIT_MS) / STUN_TRIES));
    }
    timers.push(setTimeout(onStop, STUN_WAIT_MS));
    return await promise;
  } catch {
    return false;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    stop.removeEventListener("abort", onStop);
    socket?.close();
  }
}

/** On our own port: what clients are told may be reachable from outside only. */
async function checkIroh(world: World, stop: AbortSignal): Promise<Finding> {
  const { config, running, clock, ask } = world;
  if (!config.iroh.enabled) return skipped("turned off");
  const told = running?.irohUrl();
  if (told === undefined) {
    return found(
      "",
      fail("it is on, but clients can't be told where", "turn http or https on, or set `url` in [iroh]"),
    );
  }
  const addresses = running?.addresses();
  const at = addresses?.["http"]?.[0] ?? addresses?.["iroh"]?.[0];
  if (at === undefined) return found(`clients are told ${told}`);
  const { host, port } = reachable(at);
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}/ping`;
  const mend = "restart the relay; see `enabled` and `listen` in [iroh]";
  const beganMs = clock.monotonicMs();
  try {
    const { status } = await ask(url, stop);
    const ms = Math.round(clock.monotonicMs() - beganMs);
    return found(
      `answers in ${ms} ms; clients are told ${told}`,
      status === 200 ? undefined : fail(`it answers with status ${status}`, mend),
    );
  } catch (error) {
    return found("", fail(`it does not answer: ${messageOf(error)}`, mend));
  }
}

async function checkPush({ config, running, ask }: World, stop: AbortSignal): Promise<Finding> {
  if (config.push.mode === "off") return skipped("turned off");
  const { endpoint } = config.push;
  const mend = "phones wake late meanwhile; see that this machine reaches the service, or turn push off";
  const resting =
    running?.pushResting() === true
      ? warn("notifications rest: the service has failed several times in a row", mend)
      : undefined;
  try {
    // Only whether it is there: a notification needs somebody's token.
    await ask(new URL("/", endpoint).href, stop);
    return found(`${hostOf(new URL(endpoint).hostname)} answers`, resting);
  } catch (error) {
    return found("", resting, fail(`${endpoint} does not answer: ${messageOf(error)}`, mend));
  }
}
