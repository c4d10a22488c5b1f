/** The way to other servers, put together: queue, rules, reports, counters. */
import type { Config } from "../config/config.ts";
import { type Address, type Domain, domainOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { accept } from "../core/verdict.ts";
import type { Courier } from "../delivery/courier.ts";
import type { Outgoing } from "../delivery/door.ts";
import { Queue, type QueueSettings } from "../delivery/queue/queue.ts";
import { type DeliveryListener, Reporter } from "../delivery/report.ts";
import type { Log } from "../log/events.ts";
import { judgeOutbound } from "../policy/federation.ts";
import type { HotState } from "../state/hot-state.ts";
import type { MailStore } from "../storage/store.ts";

export interface MailQueueParts {
  config: Config;
  courier: Courier;
  store: MailStore;
  state: HotState;
  clock: Clock;
  log: Log;
  /** Hears of reports, as of any delivery. */
  onDelivered?: DeliveryListener;
}

export class MailQueue {
  readonly queue: Queue;
  /** What the door talks to. */
  readonly outgoing: Outgoing;
  readonly #state: HotState;
  #domains: ReadonlySet<Domain>;

  constructor({ config, courier, store, state, clock, log, onDelivered }: MailQueueParts) {
    const reporter = new Reporter({ store, clock, onDelivered });
    this.#domains = new Set(config.domains);
    this.#state = state;
    this.queue = new Queue({
      outbox: store.outbox,
      courier,
      judge: (domain) => (this.#domains.has(domain) ? accept : judgeOutbound(state.federation, domain)),
      report: async (to, header, failures) => {
        if (this.#isOurs(to)) await reporter.report(to, header, failures);
      },
      note: (domain, report) => state.peers.noteOutbound(domain, report),
      settings: queueSettings(config),
      clock,
      log,
    });
    this.outgoing = {
      hasRoom: (domain) => this.queue.hasRoom(domain),
      arrived: (entries) => this.queue.arrived(entries),
      heardFrom: (domain, isProven) => {
        state.peers.noteInbound(domain);
        // A forged message must not make this relay knock at somebody's door.
        if (isProven) this.queue.heardFrom(domain);
      },
    };
  }

  start(): Promise<void> {
    return this.queue.start();
  }

  stop(): Promise<void> {
    return this.queue.stop();
  }

  /** Takes new settings. */
  reconfigure(config: Config): void {
    this.#domains = new Set(config.domains);
    this.queue.reconfigure(queueSettings(config));
  }

  #isOurs(user: Address): boolean {
    const { accounts, blocklist } = this.#state;
    return this.#domains.has(domainOf(user)) && accounts.has(user) && !blocklist.has(user);
  }
}

function queueSettings({ queue }: Config): QueueSettings {
  return {
    schedule: {
      firstMs: queue.retry_first,
      factor: queue.retry_factor,
      maxMs: queue.retry_max,
      lifetimeMs: queue.lifetime,
    },
    concurrency: queue.concurrency,
    perDestination: queue.per_destination,
    messagesMax: queue.max_messages,
    perDestinationMax: queue.max_per_destination,
  };
}
