/**
 * Asks another server how mail would get there: DNS, MTA-STS, and each way to each host as the courier would go it,
 * up to the point where a message would begin. For the operator who wonders.
 *
 * Invariants
 * - Never rejects, brings no mail, and is over within half a minute.
 * - The same hosts, rules and routes as for mail: what works here works there.
 */
import type { Domain } from "../core/address.ts";
import { concat, fromLatin1, toLatin1 } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import type { RouteOverrides } from "../delivery/courier.ts";
import { dial, type OutgoingSocket, type PeerCertificate } from "../net/outgoing.ts";
import { canonicalAddress } from "../net/public-address.ts";
import type { HostFinder } from "./hosts.ts";
import type { MtaSts } from "./mta-sts.ts";
import { parseResponse } from "./response.ts";
import { type HostRoutes, overrideRoutes, type RouteSettings, routesOf, type Way } from "./routes.ts";
import { allowsHost } from "./sts-policy.ts";

const TOTAL_MAX_MS = 30_000;
const STEP_MAX_MS = 5000;
const ANSWER_MAX_BYTES = 64 * 1024;
const SAID_MAX_CHARS = 200;

export interface ServerTestParts {
  hosts: HostFinder;
  sts: MtaSts;
  settings: () => RouteSettings;
  overrides: RouteOverrides;
  /** Whether rules let mail go there. */
  isAllowed: boolean;
  helloName: () => string;
  clock: Clock;
}

export interface WayReport {
  route: Way["route"];
  port: number;
  works: boolean;
  /** What the server said, or why there is no answer. */
  said: string;
  tls: "valid" | "unverified" | "none" | "failed";
  certificate: { names: string[]; issuer: string; notAfter: string } | null;
  ms: number;
}

export interface HostReport {
  host: string;
  addresses: string[];
  /** Why there are none. */
  why: string;
  ways: WayReport[];
}

export interface ServerReport {
  domain: string;
  override: string | null;
  allowed: boolean;
  mx: { hosts: string[]; why: string };
  /** Its mode; null without one. */
  mtaSts: string | null;
  hosts: HostReport[];
  /** Some way works. */
  works: boolean;
}

export async function testServer(
  parts: ServerTestParts,
  domain: Domain,
  signal?: AbortSignal,
): Promise<ServerReport> {
  const { clock, overrides, settings } = parts;
  const late = new AbortController();
  const cancel = clock.after(TOTAL_MAX_MS, () => late.abort());
  const stop = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
  try {
    const override = overrides.lookup(domain);
    const own = override === undefined ? undefined : overrideRoutes(override, settings());
    const { mx, mtaSts, routes } =
      own === undefined
        ? await askDns(parts, domain, stop)
        : { mx: { hosts: [own.host], why: "" }, mtaSts: null, routes: [own] };
    const hosts = await Promise.all(routes.map((route) => testHost(parts, route, stop)));
    return {
      domain,
      override: override ?? null,
      allowed: parts.isAllowed,
      mx,
      mtaSts,
      hosts,
      works: hosts.some(({ ways }) => ways.some(({ works }) => works)),
    };
  } finally {
    cancel();
  }
}

async function askDns({ hosts, sts, settings }: ServerTestParts, domain: Domain, stop: AbortSignal) {
  const [found, policy] = await Promise.all([
    hosts.hostsOf(domain),
    domain.startsWith("[") ? undefined : sts.policyOf(domain, stop),
  ]);
  const mtaSts = policy?.mode ?? null;
  if (!found.ok) {
    const { outcome } = found;
    const why = outcome.do === "sent" ? "" : outcome.reply.text;
    return { mx: { hosts: [], why }, mtaSts, routes: [] };
  }
  const isEnforced = policy?.mode === "enforce";
  const named = [...found.plan.hosts];
  const routes = named
    .filter((host) => !isEnforced || policy === undefined || allowsHost(policy, host))
    .map((host) => routesOf(host, domain, settings(), isEnforced));
  const why = found.plan.isDomainItself ? "no MX: the domain itself" : "";
  return { mx: { hosts: named, why }, mtaSts, routes };
}

async function testHost(
  parts: ServerTestParts,
  { host, ways, isTrusted }: HostRoutes,
  stop: AbortSignal,
): Promise<HostReport> {
  const found = await (isTrusted ? parts.hosts.anyAddressesOf(host) : parts.hosts.addressesOf(host));
  const addresses = [...found.addresses];
  if (addresses.length === 0) return { host, addresses, why: found.why, ways: [] };
  const reports = await Promise.all(ways.map((way) => testWay(parts, { host, addresses, way, stop })));
  return { host, addresses, why: "", ways: reports };
}

interface Target {
  host: string;
  addresses: readonly string[];
  way: Way;
  stop: AbortSignal;
}

async function testWay(parts: ServerTestParts, target: Target): Promise<WayReport> {
  const { clock } = parts;
  const { route, port } = target.way;
  const beganMs = clock.monotonicMs();
  const found = await attempt(parts, target, target.way.verify);
  // A certificate that is refused is what the operator wants to see.
  const seen =
    found.tls === "failed" && target.way.verify ? (await attempt(parts, target, false)).certificate : null;
  const ms = Math.round(clock.monotonicMs() - beganMs);
  return {
    route,
    port,
    ...found,
    certificate: found.certificate ?? seen,
    said: found.said.slice(0, SAID_MAX_CHARS),
    ms,
  };
}

type Found = Omit<WayReport, "route" | "port" | "ms">;

const failedAttempt = (said: string, tls: Found["tls"] = "none"): Found => ({
  works: false,
  said,
  tls,
  certificate: null,
});

async function attempt(parts: ServerTestParts, target: Target, verify: boolean): Promise<Found> {
  const { addresses, way, stop } = target;
  const { clock } = parts;
  const dialled = await dial({ addresses, port: way.port, timeoutMs: STEP_MAX_MS, stop, clock });
  if (!dialled.ok) return failedAttempt(dialled.why);
  const { socket } = dialled;
  const letGo = socket.obey(stop);
  try {
    if (way.route === "smtp") return await talkSmtp(parts, target, socket, verify);
    const secured = way.route === "http" ? undefined : await secure(socket, target, verify);
    if (typeof secured === "string") return failedAttempt(secured, "failed");
    return { ...(await talkHttp(socket, target, clock)), ...secured };
  } finally {
    letGo();
    socket.destroy();
  }
}

/** @returns what was shown, or what went wrong */
async function secure(
  socket: OutgoingSocket,
  { host }: Target,
  verify: boolean,
): Promise<Pick<Found, "tls" | "certificate"> | string> {
  const serverName = canonicalAddress(host) === undefined ? host : "";
  const why = await socket.secure({ serverName, verify }, STEP_MAX_MS);
  if (why !== undefined) return why;
  const shown = socket.certificate();
  return {
    tls: verify ? "valid" : "unverified",
    certificate: shown === undefined ? null : certificateFacts(shown),
  };
}

function certificateFacts({ names, issuer, notAfter }: PeerCertificate): NonNullable<Found["certificate"]> {
  return { names: [...names], issuer, notAfter };
}

/** A request without envelope: one that knows `/mxdeliv` says what is missing, others that there is no such page. */
async function talkHttp(socket: OutgoingSocket, { host, way }: Target, clock: Clock): Promise<Found> {
  const name = host.includes(":") ? `[${host}]` : host;
  socket.write(
    fromLatin1(
      `POST ${way.path} HTTP/1.1\r\nHost: ${name}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    ),
  );
  const deadlineMs = clock.monotonicMs() + STEP_MAX_MS;
  let bytes: Uint8Array = new Uint8Array(0);
  while (bytes.length <= ANSWER_MAX_BYTES) {
    const incoming = await socket.read(Math.max(1, deadlineMs - clock.monotonicMs()));
    if (incoming.kind === "data") bytes = concat([bytes, incoming.bytes]);
    const parsed = parseResponse(bytes, incoming.kind !== "data");
    if (parsed.kind === "whole") {
      const { status } = parsed.response;
      const works = knowsDelivery(status);
      const said = works ? `HTTP ${status}: takes mail` : `HTTP ${status}: no ${way.path} there`;
      return { works, said, tls: "none", certificate: null };
    }
    if (incoming.kind === "failed") return failedAttempt(incoming.why);
    if (incoming.kind === "end" || parsed.kind === "garbage") return failedAttempt("the answer is no HTTP");
  }
  return failedAttempt("the answer is too long");
}

/** What a server says about a delivery without sender and recipients, if it takes deliveries. */
function knowsDelivery(status: number): boolean {
  return status < 300 || status === 400 || status === 403 || status === 422 || status === 429;
}

async function talkSmtp(
  { helloName, clock }: ServerTestParts,
  target: Target,
  socket: OutgoingSocket,
  verify: boolean,
): Promise<Found> {
  const ask = async (line: string | undefined): Promise<SmtpAnswer> => {
    if (line !== undefined) socket.write(fromLatin1(`${line}\r\n`));
    return readReply(socket, clock);
  };
  const banner = await ask(undefined);
  if (banner.code !== 220) return failedAttempt(banner.text);
  const hello = await ask(`EHLO ${helloName()}`);
  if (hello.code !== 250) return failedAttempt(hello.text);
  if (!/^250[ -]STARTTLS\s*$/im.test(hello.lines)) {
    const works = !target.way.needsTls;
    return { works, said: `${banner.text}; no STARTTLS`, tls: "none", certificate: null };
  }
  const ready = await ask("STARTTLS");
  if (ready.code !== 220) return failedAttempt(ready.text, "failed");
  const secured = await secure(socket, target, verify);
  if (typeof secured === "string") return failedAttempt(secured, "failed");
  const again = await ask(`EHLO ${helloName()}`);
  socket.write(fromLatin1("QUIT\r\n"));
  return { works: again.code === 250, said: banner.text, ...secured };
}

interface SmtpAnswer {
  /** 0 when there was none. */
  code: number;
  /** The last line, or why there is none. */
  text: string;
  lines: string;
}

/** RFC 5321 §4.2.1: the last line has a space behind its code. */
async function readReply(socket: OutgoingSocket, clock: Clock): Promise<SmtpAnswer> {
  const deadlineMs = clock.monotonicMs() + STEP_MAX_MS;
  let lines = "";
  while (lines.length <= ANSWER_MAX_BYTES) {
    const incoming = await socket.read(Math.max(1, deadlineMs - clock.monotonicMs()));
    if (incoming.kind !== "data") {
      return { code: 0, text: incoming.kind === "end" ? "connection closed" : incoming.why, lines };
    }
    lines += toLatin1(incoming.bytes);
    const last = /(?:^|\n)(\d{3})(?: ([^\r\n]*))?\r?\n$/.exec(lines);
    if (last === null) continue;
    const text = `${last[1] ?? ""} ${last[2] ?? ""}`.replace(/[^\x20-\x7e]/g, "?").trim();
    return { code: Number(last[1]), text, lines };
  }
  return { code: 0, text: "the answer is too long", lines };
}
