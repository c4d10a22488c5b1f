/**
 * Mail to other servers: for each host of a domain HTTPS, then HTTP, then SMTP, until everybody has an answer.
 *
 * Invariants
 * - Never rejects; each recipient has one outcome at the end, and nobody who has one is tried again.
 * - A way that fails says why in `attempts` and leaves its recipients to the next.
 * - A host is remembered as having no HTTP only after SMTP worked there, and for half an hour at most.
 */
import type { Address, Domain } from "../core/address.ts";
import { concat, EMPTY } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import { BODY_SLICE_MAX_BYTES } from "../core/limits.ts";
import type {
  Attempt,
  Courier,
  CourierReport,
  MessageSource,
  Outcome,
  OutboundMessage,
  PeerReply,
  Route,
  RouteOverrides,
  Signer,
} from "../delivery/courier.ts";
import type { Transfer, SmtpTransport } from "../delivery/transport.ts";
import type { Log } from "../log/events.ts";
import { canonicalAddress } from "../net/public-address.ts";
import type { FoundAddresses, HostFinder } from "./hosts.ts";
import type { HttpClient } from "./http-client.ts";
import type { MtaSts } from "./mta-sts.ts";
import { type HostRoutes, overrideRoutes, type RouteSettings, routesOf, type Way } from "./routes.ts";
import { allowsHost } from "./sts-policy.ts";
import { readAnswer, splitRecipients, writeRequestHead } from "./wire.ts";

const NO_HTTP_FOR_MS = 30 * 60_000;
/** Hosts remembered. */
const NO_HTTP_MAX = 10_000;
/** No new way is begun after this: a queue has others to serve. */
const ROUND_MAX_MS = 5 * 60_000;
const ANSWER_MAX_BYTES = 16 * 1024;

export interface OutboundParts {
  settings: () => RouteSettings;
  hosts: HostFinder;
  http: HttpClient;
  smtp: SmtpTransport;
  sts: MtaSts;
  overrides: RouteOverrides;
  /** Absent: nothing is signed. */
  signer?: Signer | undefined;
  clock: Clock;
  log: Log;
  /** Certificates to trust beside the usual ones; PEM. */
  ca?: string | undefined;
}

/** One call of `deliver`. */
interface Round {
  readonly transfer: Transfer;
  readonly outcomes: Map<Address, Outcome>;
  readonly attempts: Attempt[];
  readonly stop: AbortSignal;
  left: readonly Address[];
  route: Route | undefined;
  /** What a server that refused the whole session said. */
  lastReply: PeerReply | undefined;
}

interface Target {
  readonly host: string;
  readonly addresses: readonly string[];
  readonly way: Way;
}

export class Outbound implements Courier {
  readonly #parts: OutboundParts;
  /** Until when a host is known to take mail by SMTP only. */
  readonly #noHttpUntilMs = new Map<string, number>();

  constructor(parts: OutboundParts) {
    this.#parts = parts;
  }

  async deliver(message: OutboundMessage, stop: AbortSignal): Promise<CourierReport> {
    const { clock, log } = this.#parts;
    const startedMs = clock.monotonicMs();
    const report = (round: Partial<Round>, rest: Outcome): CourierReport => ({
      outcomes: new Map(message.recipients.map((one) => [one, round.outcomes?.get(one) ?? rest])),
      route: round.route,
      attempts: round.attempts ?? [],
      latencyMs: clock.monotonicMs() - startedMs,
    });
    let source: MessageSource | undefined;
    try {
      source = await message.open();
      const signature = (await this.#parts.signer?.sign(source)) ?? EMPTY;
      const round: Round = {
        transfer: transferOf(message, source, signature),
        outcomes: new Map(),
        attempts: [],
        stop,
        left: message.recipients,
        route: undefined,
        lastReply: undefined,
      };
      return report(round, await this.#deliver(message.domain, round, startedMs));
    } catch (error) {
      log.emit({ kind: "internalFault", where: "delivery to others", error });
      return report({}, defer(451, "4.3.0", "The message can't be read or signed now"));
    } finally {
      await source?.close().catch((error: unknown) => {
        log.emit({ kind: "internalFault", where: "closing a queued message", error });
      });
    }
  }

  /** @returns the outcome of those who got none */
  async #deliver(domain: Domain, round: Round, startedMs: number): Promise<Outcome> {
    const planned = await this.#plan(domain, round);
    if ("do" in planned) return planned;
    for (const routes of planned.hosts) {
      if (round.left.length === 0 || round.stop.aborted) break;
      if (this.#parts.clock.monotonicMs() - startedMs > ROUND_MAX_MS) {
        note(round, "smtp", routes.host, "not tried: the others took too long");
        break;
      }
      const found = await this.#addressesOf(routes);
      if (found.addresses.length > 0) {
        await this.#tryHost(routes, found.addresses, round);
      } else {
        note(round, routes.ways[0]?.route ?? "smtp", routes.host, found.why);
        if (planned.isDomainItself && found.isCertain) {
          return {
            do: "fail",
            reply: { code: 550, enhanced: "5.1.2", text: `Domain ${domain} has no mail server` },
          };
        }
      }
    }
    return this.#nobodyTook(round);
  }

  async #plan(
    domain: Domain,
    round: Round,
  ): Promise<{ hosts: HostRoutes[]; isDomainItself: boolean } | Outcome> {
    const { overrides, hosts, sts } = this.#parts;
    const settings = this.#parts.settings();
    const override = overrides.lookup(domain);
    if (override !== undefined) {
      const routes = overrideRoutes(override, settings);
      if (routes !== undefined) return { hosts: [routes], isDomainItself: false };
      return defer(451, "4.4.4", "The operator's route for this domain can't be understood");
    }
    const found = await hosts.hostsOf(domain);
    if (!found.ok) return found.outcome;
    const policy = domain.startsWith("[") ? undefined : await sts.policyOf(domain, round.stop);
    const isEnforced = policy?.mode === "enforce";
    const allowed = found.plan.hosts.filter((host) => {
      const isAllowed = !isEnforced || policy === undefined || allowsHost(policy, host);
      if (!isAllowed) note(round, "smtp", host, "not among the hosts of the domain's MTA-STS policy");
      return isAllowed;
    });
    return {
      hosts: allowed.map((host) => routesOf(host, domain, settings, isEnforced)),
      isDomainItself: found.plan.isDomainItself,
    };
  }

  #addressesOf({ host, isTrusted }: HostRoutes): Promise<FoundAddresses> {
    const { hosts } = this.#parts;
    return isTrusted ? hosts.anyAddressesOf(host) : hosts.addressesOf(host);
  }

  async #tryHost({ host, ways }: HostRoutes, addresses: readonly string[], round: Round): Promise<void> {
    const skipsHttp = this.#hasNoHttp(host) && ways.some((way) => way.route === "smtp");
    for (const way of ways) {
      if (round.left.length === 0 || round.stop.aborted) return;
      const target = { host, addresses, way };
      if (way.route === "smtp") await this.#trySmtp(target, round, ways.length > 1);
      else if (!skipsHttp) await this.#tryHttp(target, round);
    }
  }

  async #tryHttp(target: Target, round: Round): Promise<void> {
    const { host, addresses, way } = target;
    const { http, ca } = this.#parts;
    const serverName = canonicalAddress(host) === undefined ? host : "";
    const tls = { serverName, verify: way.verify, ...(ca === undefined ? {} : { ca }) };
    const httpTarget = { addresses, port: way.port, tls: way.route === "https" ? tls : undefined };
    for (const recipients of splitRecipients(round.left)) {
      const { sender, bytes } = round.transfer;
      const head = writeRequestHead({ host: hostField(target), path: way.path, sender, recipients, bytes });
      const request = { head, body: round.transfer.slices(), answerMaxBytes: ANSWER_MAX_BYTES };
      const result = await http.request(httpTarget, request, round.stop);
      const answer = result.ok
        ? readAnswer(result.response.status, result.response.contentType, result.response.body)
        : ({ kind: "unusable", why: result.why } as const);
      if (answer.kind === "unusable") {
        note(round, way.route, host, answer.why);
        return;
      }
      const outcome: Outcome = answer.kind === "taken" ? { do: "sent" } : judge(answer.reply);
      settle(round, way.route, host, new Map(recipients.map((recipient) => [recipient, outcome])));
    }
  }

  async #trySmtp({ host, addresses, way }: Target, round: Round, isAfterHttp: boolean): Promise<void> {
    const result = await this.#parts.smtp.deliver(
      {
        name: host,
        addresses,
        port: way.port,
        tls: way.needsTls ? "required" : "opportunistic",
        serverName: canonicalAddress(host) === undefined ? host : "",
        verify: way.verify,
      },
      round.transfer,
      round.left,
      round.stop,
    );
    if (result.kind === "answered") {
      settle(round, "smtp", host, result.outcomes);
      const worked = [...result.outcomes.values()].some((outcome) => outcome.do === "sent");
      if (worked && isAfterHttp) this.#rememberNoHttp(host);
      return;
    }
    if (result.kind === "unreachable") this.#noHttpUntilMs.delete(host);
    else round.lastReply = result.reply ?? round.lastReply;
    note(round, "smtp", host, result.why);
  }

  #nobodyTook({ attempts, lastReply, stop }: Round): Outcome {
    if (stop.aborted) return defer(421, "4.3.2", "This server is stopping");
    if (lastReply !== undefined) return { do: "defer", reply: lastReply };
    const last = attempts.at(-1);
    const why =
      last === undefined ? "no host to try" : `last attempt: ${last.route} to ${last.host}: ${last.why}`;
    return defer(421, "4.4.1", `Failed to connect to any mail server; ${why}`);
  }

  #hasNoHttp(host: string): boolean {
    const untilMs = this.#noHttpUntilMs.get(host);
    if (untilMs === undefined) return false;
    if (untilMs > this.#parts.clock.monotonicMs()) return true;
    this.#noHttpUntilMs.delete(host);
    return false;
  }

  /** Not prolonged by mail that skipped HTTP: after half an hour HTTP gets its chance again. */
  #rememberNoHttp(host: string): void {
    if (this.#noHttpUntilMs.has(host)) return;
    const [oldest] = this.#noHttpUntilMs.keys();
    if (this.#noHttpUntilMs.size >= NO_HTTP_MAX && oldest !== undefined) this.#noHttpUntilMs.delete(oldest);
    this.#noHttpUntilMs.set(host, this.#parts.clock.monotonicMs() + NO_HTTP_FOR_MS);
  }
}

/** RFC 9110 §7.2: with the port unless it is the scheme's own, an IPv6 address in brackets. */
function hostField({ host, way }: Target): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return way.port === (way.route === "https" ? 443 : 80) ? name : `${name}:${way.port}`;
}

function transferOf(message: OutboundMessage, source: MessageSource, signature: Uint8Array): Transfer {
  return {
    sender: message.sender,
    bytes: signature.length + source.size,
    async *slices() {
      let front = signature;
      for (let at = 0; at < source.size; ) {
        const slice = await source.read(at, Math.min(BODY_SLICE_MAX_BYTES, source.size - at));
        if (slice.length === 0) throw new Error("a queued message is shorter than it was");
        at += slice.length;
        yield front.length === 0 ? slice : concat([front, slice]);
        front = EMPTY;
      }
    },
  };
}

function settle(round: Round, route: Route, host: string, outcomes: ReadonlyMap<Address, Outcome>): void {
  for (const [recipient, outcome] of outcomes) {
    round.outcomes.set(recipient, outcome);
    if (outcome.do === "sent") round.route = route;
    else note(round, route, host, replyText(outcome.reply));
  }
  round.left = round.left.filter((recipient) => !round.outcomes.has(recipient));
}

/** The same failure of many recipients is one line. */
function note(round: Round, route: Route, host: string, why: string): void {
  const last = round.attempts.at(-1);
  if (last?.route === route && last.host === host && last.why === why) return;
  round.attempts.push({ route, host, why });
}

function replyText({ code, enhanced, text }: PeerReply): string {
  return [code, enhanced, text].filter((part) => part !== "").join(" ");
}

function judge(reply: PeerReply): Outcome {
  return { do: reply.code >= 500 ? "fail" : "defer", reply };
}

function defer(code: number, enhanced: string, text: string): Outcome {
  return { do: "defer", reply: { code, enhanced, text } };
}
