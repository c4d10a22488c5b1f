/** What operations can have of the running relay. */
import { judgeOutbound } from "../policy/federation.ts";
import type { LiveRelay } from "../operations/context.ts";
import type { Front } from "./front.ts";
import type { Ground } from "./ground.ts";
import type { IrohService } from "./iroh.ts";
import type { Mail } from "./mail.ts";
import type { Metrics } from "./metrics.ts";
import type { TurnService } from "./turn.ts";

export interface LiveParts
  extends Pick<
    LiveRelay,
    "startedAtMs" | "checkDns" | "reload" | "restart" | "applySettings" | "loginLink" | "certificates"
  > {
  ground: Ground;
  mail: Mail;
  /** There before anybody can ask. */
  front: () => Front;
  turn: TurnService;
  iroh: IrohService;
  metrics: Metrics;
}

export function liveRelay({ ground, mail, front, turn, iroh, metrics, ...whole }: LiveParts): LiveRelay {
  const { federation } = ground.state;
  const { queue } = mail.queue;
  return {
    ...whole,
    figures: metrics.figures,
    addresses: () => ({ ...front().addresses(), metrics: metrics.bound() }),
    connections: () => front().connections(),
    sessionsOf: (user) => (mail.imap.sessions.get(user)?.size ?? 0) + front().webmail.countOf(user),
    delivered: (users) => mail.pusher.delivered(users, null),
    queue: {
      retry: (selection) => queue.retry(selection),
      drop: (selection) => queue.drop(selection),
      destinations: () => queue.destinations(),
    },
    services: {
      turn: () => ({
        facts: turn.facts(),
        ending: turn.endingAllocations,
        advertised: turn.metadata() !== undefined,
      }),
      iroh: () => ({ ...iroh.status(), url: iroh.url() }),
      shadowsocks: () => front().proxy(),
      push: () => mail.pusher.facts(),
      echo: () => mail.echo.facts(),
    },
    testServer: (domain, signal) =>
      mail.testServer(domain, judgeOutbound(federation, domain).do === "accept", signal),
    lookForExchangers: () => mail.poller.look(),
  };
}
