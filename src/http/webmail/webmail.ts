/** Mail in the browser, put together: requests to the API, WebSockets to sessions, and who is shown out when. */
import type { Authenticator } from "../../auth/authenticator.ts";
import type { Address } from "../../core/address.ts";
import type { MailDoor } from "../../delivery/intake.ts";
import { networkOf } from "../../net/connection-limits.ts";
import { corsHeaders, crossOrigin } from "../cors.ts";
import { faultAnswer, WebmailApi, type WebmailApiParts, webmailCors } from "./api.ts";
import { BodyBudget } from "./body-budget.ts";
import { FRAME_MAX_BYTES } from "./commands.ts";
import { Entrance, queryCredentials } from "./entrance.ts";
import { WebmailError } from "./fault.ts";
import { type Farewell, farewells, Guests } from "./guests.ts";
import { requests, understood } from "./requests.ts";
import { WebSender } from "./send.ts";
import { type Link, Session, type Watch } from "./session.ts";

const SOCKET_PATH = /^\/webimap\/ws\/?$/;
const PATHS = /^\/(webimap|websmtp)(\/|$)/;
/** WebSockets without a login, which may hold a frame each: altogether, and of one address (of IPv6: one /64). */
const STRANGERS_MAX = 32;
const STRANGERS_PER_NETWORK_MAX = 4;
/** Bun's own limit of silence, for clients that vanish in the closing handshake. Ours is shorter. */
const SOCKET_IDLE_S = 120;
/** For bytes on their way inside this machine. */
const GOODBYE_MS = 100;
/** Above the largest answer: eight MiB of a message may be six times as long in JSON. */
const UNSENT_MAX_BYTES = 64 * 1024 * 1024;

export interface WebmailParts extends Pick<WebmailApiParts, "settings" | "store" | "hub" | "clock" | "log"> {
  auth: Authenticator;
  door: MailDoor;
}

/** What `Bun.serve` gives. */
export type SocketServer = Pick<Bun.Server<Session>, "upgrade" | "timeout">;

export class Webmail {
  readonly #parts: WebmailParts;
  readonly #guests = new Guests();
  readonly #entrance: Entrance;
  readonly #sender: WebSender;
  readonly #api: WebmailApi;
  /** Sessions that are not over. */
  readonly #sessions = new Map<Session, string>();
  readonly #strangers = new Map<string, number>();
  #strangerCount = 0;

  constructor(parts: WebmailParts) {
    this.#parts = parts;
    this.#entrance = new Entrance(parts);
    this.#sender = new WebSender(parts);
    const { entrance, sender, guests } = this.#shared();
    this.#api = new WebmailApi({ ...parts, entrance, sender, guests, budget: new BodyBudget() });
  }

  /**
   * @param peerAddress of the socket
   * @returns undefined for paths that are not ours; otherwise the answer, or undefined where a WebSocket took over
   */
  answer(
    request: Request,
    server: SocketServer,
    peerAddress: string,
  ): Promise<Response | undefined> | undefined {
    // Most requests are not ours, and parsing costs.
    if (!request.url.includes("/web")) return undefined;
    const url = new URL(request.url);
    if (!PATHS.test(url.pathname)) return undefined;
    if (SOCKET_PATH.test(url.pathname)) return this.#welcome(request, url, server, peerAddress);
    const allowSilence = (seconds: number) => server.timeout(request, seconds);
    return this.#api.answer({ request, url, peerAddress, allowSilence });
  }

  /** For `Bun.serve`. */
  readonly websocket: Bun.WebSocketHandler<Session> = {
    maxPayloadLength: FRAME_MAX_BYTES,
    idleTimeout: SOCKET_IDLE_S,
    sendPings: false,
    backpressureLimit: UNSENT_MAX_BYTES,
    closeOnBackpressureLimit: true,
    perMessageDeflate: false,
    open: (socket) => socket.data.opened(linkOf(socket)),
    message: (socket, message) =>
      socket.data.message(typeof message === "string" ? message : message.toString("utf8")),
    drain: (socket) => socket.data.drained(),
    ping: (socket) => socket.data.heard(),
    pong: (socket) => socket.data.heard(),
    close: (socket) => socket.data.closed(),
  };

  /** How many connections a user has. */
  countOf(user: Address): number {
    return this.#guests.countOf(user);
  }

  /** WebSockets that are open. */
  connections(): { connections: number; addresses: number } {
    return { connections: this.#sessions.size, addresses: new Set(this.#sessions.values()).size };
  }

  /** Ends what an account has open. */
  dismiss(user: Address, why: Farewell): void {
    this.#guests.dismiss(user, why);
  }

  /** Ends everything that is open. */
  dismissAll(why: Farewell): void {
    this.#guests.dismissAll(why);
    for (const session of [...this.#sessions.keys()]) session.dismiss(why);
  }

  /** Ends everything, and gives the goodbyes time to pass the front door, which ends next. */
  async stop(): Promise<void> {
    const hadSockets = this.#sessions.size > 0;
    this.dismissAll(farewells.stopping);
    if (!hadSockets) return;
    await new Promise<void>((resolve) => this.#parts.clock.after(GOODBYE_MS, resolve));
  }

  async #welcome(
    request: Request,
    url: URL,
    server: SocketServer,
    peerAddress: string,
  ): Promise<Response | undefined> {
    const { settings, log } = this.#parts;
    const cross = crossOrigin(request, settings().cors_origins);
    let session: Session | undefined;
    try {
      if (!settings().imap) throw new WebmailError(404, "not found");
      if (cross === "refused") throw new WebmailError(403, "origin not allowed");
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
        throw new WebmailError(426, "expected a WebSocket");
      }
      this.#entrance.count(peerAddress);
      const credentials = queryCredentials(url);
      session = this.#begin(peerAddress, credentials === undefined);
      if (credentials !== undefined) await session.logIn(credentials, watchIn(url));
      if (!server.upgrade(request, { data: session })) throw new WebmailError(400, "bad WebSocket handshake");
      return undefined;
    } catch (error) {
      session?.closed();
      const answer = faultAnswer(error, log);
      for (const [name, value] of Object.entries(corsHeaders(cross, webmailCors)))
        answer.headers.set(name, value);
      return answer;
    }
  }

  /** @throws {WebmailError} when too many wait to log in */
  #begin(peerAddress: string, isStranger: boolean): Session {
    const network = networkOf(peerAddress);
    if (isStranger) this.#admitStranger(network);
    const { settings } = this.#parts;
    const session = new Session(
      {
        ...this.#parts,
        ...this.#shared(),
        maySend: () => settings().smtp,
        onOver: () => {
          this.#sessions.delete(session);
          if (isStranger) this.#forgetStranger(network);
        },
      },
      peerAddress,
    );
    this.#sessions.set(session, network);
    return session;
  }

  #shared() {
    return { entrance: this.#entrance, sender: this.#sender, guests: this.#guests };
  }

  #admitStranger(network: string): void {
    const known = this.#strangers.get(network) ?? 0;
    if (this.#strangerCount >= STRANGERS_MAX || known >= STRANGERS_PER_NETWORK_MAX) {
      throw new WebmailError(429, "too many connections without a login");
    }
    this.#strangerCount++;
    this.#strangers.set(network, known + 1);
  }

  #forgetStranger(network: string): void {
    const known = this.#strangers.get(network) ?? 0;
    this.#strangerCount--;
    if (known > 1) this.#strangers.set(network, known - 1);
    else this.#strangers.delete(network);
  }
}

/** @throws {WebmailError} */
function watchIn({ searchParams }: URL): Watch {
  const { mailbox, since_uid: sinceUid } = understood(requests.messages, {
    mailbox: searchParams.get("mailbox") ?? undefined,
    since_uid: Number(searchParams.get("since_uid") ?? 0),
  });
  return { mailbox, sinceUid };
}

function linkOf(socket: Bun.ServerWebSocket<Session>): Link {
  return {
    send: (text) => void socket.send(text),
    get unsentBytes() {
      return socket.getBufferedAmount();
    },
    ping: () => void socket.ping(),
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
}
