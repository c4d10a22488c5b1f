/** What clients and other servers reach, put together: site, front doors, listeners, TURN, iroh relay, Shadowsocks. */
import type { Operations } from "../operations/operations.ts";
import { clientAddress } from "../http/forwarded.ts";
import { Registration } from "../auth/registration.ts";
import { createApp } from "../http/app.ts";
import type { SiteFacts } from "../http/facts.ts";
import type { Session } from "../http/webmail/session.ts";
import type { Webmail } from "../http/webmail/webmail.ts";
import type { ConnectionLimits } from "../net/connection-limits.ts";
import { MXDELIV_PATH } from "../federation/wire.ts";
import { frontDoor } from "../net/front-door.ts";
import { HttpBackend } from "../net/http-backend.ts";
import { Introductions } from "../net/introductions.ts";
import { smtpAccept } from "../smtp/server.ts";
import type { TlsMaterialStore } from "../tls/material.ts";
import type { DkimKeys } from "./dkim-keys.ts";
import type { Admin } from "./admin.ts";
import { createInbound, inboundSettings } from "./federation.ts";
import type { Ground } from "./ground.ts";
import type { IrohService } from "./iroh.ts";
import { type BoundAddresses, type ConnectionFacts, Listeners } from "./listeners.ts";
import type { Mail } from "./mail.ts";
import { siteDir, siteFacts, siteRegistration } from "./relay-facts.ts";
import { openRest } from "./rest.ts";
import { Shadowsocks } from "./shadowsocks.ts";
import type { Supervisor } from "./supervisor.ts";
import type { TurnAddresses, TurnService } from "./turn.ts";
import { openWebmail } from "./webmail.ts";
import { stsHost } from "./zone.ts";

/** What listens where. */
export type RelayAddresses = BoundAddresses &
  TurnAddresses & {
    shadowsocks: string[];
    iroh: string[];
    rest: string[];
  };

export interface FrontParts {
  ground: Ground;
  supervisor: Supervisor;
  mail: Mail;
  tls: TlsMaterialStore;
  /** The proof for a certificate authority. */
  httpProof: (host: string, token: string) => string | undefined;
  dkim: DkimKeys;
  iroh: IrohService;
  turn: TurnService;
  limits: ConnectionLimits;
  admin: Admin;
  operations: Operations;
}

export interface Front {
  /** What the site tells; also the ports for account links. */
  facts(): SiteFacts;
  addresses(): RelayAddresses;
  /** Open now, by service. */
  connections(): Record<string, ConnectionFacts>;
  /** Shadowsocks. */
  proxy(): ConnectionFacts & { link: string | undefined };
  webmail: Webmail;
}

/**
 * Starts them; the supervisor stops and reconfigures them.
 * @throws {ListenError | SecretError} with a message for the operator (as a rejection)
 */
export async function openFront(parts: FrontParts): Promise<Front> {
  const { ground, supervisor, tls, iroh, turn, limits } = parts;
  const { config, clock, log } = ground;
  const introductions = new Introductions();
  const facts = (): SiteFacts => ({
    ...siteFacts(config(), listeners, tls),
    quotaBytes: ground.state.quotas.defaultBytes,
    proxyLink: config().shadowsocks.on_site ? shadowsocks.link() : undefined,
  });
  const webmail = openWebmail(ground, supervisor, parts.mail);
  const backend = openSite(parts, facts, webmail);
  await backend.start();
  supervisor.onStop(() => backend.stop());
  await iroh.start({
    limits,
    http: backend,
    traffic: ground.traffic,
    places: () => ({
      http: listeners.port("http"),
      https: listeners.port("https"),
      trusted: tls.facts().trusted,
    }),
  });
  const listeners = new Listeners({
    answering: answering(parts, backend),
    getTls: () => tls.current(),
    limits,
    introductions,
    traffic: ground.traffic,
    log,
    clock,
  });
  const shadowsocks = new Shadowsocks({
    config,
    introductions,
    hostOf: (port) => listeners.hostOf(port),
    traffic: ground.traffic.shadowsocks,
    log,
    clock,
  });
  // Begun before and stopped after the listeners, whose goodbyes go through the tunnels.
  supervisor.onStop(() => shadowsocks.stop());
  await shadowsocks.start();
  supervisor.onReload((next) => shadowsocks.reconfigure(next));
  supervisor.onStop(() => listeners.stop());
  // Before the listeners end, so that clients hear why.
  supervisor.onStop(() => webmail.stop());
  await listeners.start(config().listen);
  supervisor.onReload((next) => listeners.reconfigure(next));
  supervisor.onStop(() => turn.stop());
  await turn.start();
  const rest = openRest(ground, supervisor, parts.operations);
  return {
    facts,
    addresses: () => ({
      ...listeners.bound(),
      shadowsocks: shadowsocks.bound(),
      iroh: iroh.bound(),
      rest,
      ...turn.bound(),
    }),
    connections: () => ({
      ...listeners.connections(),
      shadowsocks: shadowsocks.connections(),
      iroh: iroh.connections(),
      turn: turn.connections(),
      webmail: webmail.connections(),
    }),
    proxy: () => ({ ...shadowsocks.connections(), link: shadowsocks.link() }),
    webmail,
  };
}

function openSite(parts: FrontParts, facts: () => SiteFacts, webmail: Webmail): HttpBackend<Session> {
  const { ground, supervisor, mail, tls, httpProof, dkim, admin, operations } = parts;
  const { config, clock, log, state, slots } = ground;
  const registration = new Registration({ state, config, log, slots });
  const peerAddress = (request: Request): string => {
    const socketAddress = backend.peerOf(request)?.address ?? "";
    const forwarded = request.headers.get("x-forwarded-for");
    return clientAddress(socketAddress, forwarded, config().site.trusted_proxies);
  };
  const inbound = createInbound({ config: config(), door: mail.door, peerAddress, clock, log });
  supervisor.onReload((next) => inbound.reconfigure(inboundSettings(next)));
  const app = createApp({
    facts,
    registration: siteRegistration(registration, state),
    wellKnown: {
      stsHost: () => stsHost(config().hostname, tls.facts().trusted),
      domainKey: (selector) => dkim.all().find((key) => key.selector === selector)?.record,
      securityContact: () => config().site.security_contact,
      nowMs: () => clock.nowMs(),
    },
    acmeProof: httpProof,
    newRate: () => ({ perMinute: config().site.new_per_minute, burst: config().site.new_burst }),
    contacts: state.contacts,
    jitEnabled: () => state.settings.jitEnabled,
    wwwDir: () => siteDir(config(), state.settings),
    program: Bun.isStandaloneExecutable ? process.execPath : undefined,
    peerAddress,
    corsOrigins: () => config().webmail.cors_origins,
    isSecure: (request) => backend.peerOf(request)?.secure === true,
    federation: (request) => inbound.answer(request),
    clock,
    log,
  });
  admin.open(operations, peerAddress);
  const backend = new HttpBackend<Session>({
    fetch: (request, server, { address }) =>
      admin.answer(request) ?? webmail.answer(request, server, address) ?? app.fetch(request),
    websocket: webmail.websocket,
    onError: (error) => {
      log.emit({ kind: "internalFault", where: "http", error });
      return new Response("Internal error\n", { status: 500 });
    },
  });
  return backend;
}

/** Which engine answers on which kind of port. */
function answering({ ground, mail, iroh, turn }: FrontParts, backend: HttpBackend<Session>) {
  const { config, clock, log, traffic } = ground;
  const { door, auth, imap } = mail;
  const smtp = { hostname: config().hostname, door, auth, log, clock, tlsAvailable: true };
  const submissions = smtpAccept({ ...smtp, mode: "submissions" });
  const site = { http: backend, rawRoutes: iroh.routes, traffic, serverPaths: [MXDELIV_PATH], clock, log };
  return {
    smtp: smtpAccept({ ...smtp, mode: "smtp", tlsRequired: () => config().smtp.require_tls }),
    submission: smtpAccept({ ...smtp, mode: "submission" }),
    submissions,
    imap: imap.accept,
    http: frontDoor(site),
    https: frontDoor({ ...site, imap: imap.accept, submission: submissions, turn: turn.accept }),
  };
}
