/**
 * WebIMAP and WebSMTP over HTTP: mail for pages, every request with its own login.
 *
 * Invariants
 * - While a half is off it looks absent: 404 as for any path that is nothing.
 * - Nothing of a body is read before the login is right, and no more of it than may be.
 * - Reading changes nothing: no flag is set by a GET.
 */
import type { Address } from "../../core/address.ts";
import type { ChangeHub } from "../../core/changes.ts";
import type { Clock } from "../../core/clock.ts";
import { parseJson } from "../../core/json.ts";
import type { Log } from "../../log/events.ts";
import type { MailStore } from "../../storage/store.ts";
import { readBody } from "../body.ts";
import { corsHeaders, crossOrigin, preflight } from "../cors.ts";
import type { BodyBudget } from "./body-budget.ts";
import { type Entrance, headerCredentials } from "./entrance.ts";
import { expectedFault, WebmailError } from "./fault.ts";
import type { Farewell, Guests } from "./guests.ts";
import { MailActions } from "./mail-actions.ts";
import { messageJson } from "./message-json.ts";
import { messageBytes, requests, understood } from "./requests.ts";
import type { WebSender } from "./send.ts";

/** A request without a message. */
const BODY_MAX_BYTES = 64 * 1024;
const WAIT_MAX_S = 120;
/** What the connection may be silent beyond the wait. */
const WAIT_GRACE_S = 30;
/** JSON writes some bytes of a message as two or six, base64 three as four. */
const JSON_FACTOR = 1.5;
const RETRY_AFTER_S = 10;
export const webmailCors = {
  methods: "GET, POST, PUT, DELETE, OPTIONS",
  headers: "Content-Type, X-Email, X-Password",
};

export interface WebmailSettings {
  /** Reading. */
  readonly imap: boolean;
  /** Sending. */
  readonly smtp: boolean;
  readonly cors_origins: readonly string[];
}

export interface WebmailApiParts {
  /** Asked at each request. */
  settings(): WebmailSettings;
  store: Pick<MailStore, "account">;
  hub: ChangeHub;
  entrance: Entrance;
  guests: Guests;
  sender: WebSender;
  budget: BodyBudget;
  clock: Clock;
  log: Log;
}

/** What a request comes with. */
export interface Visit {
  request: Request;
  url: URL;
  /** Socket address. */
  peerAddress: string;
  /** Lets the connection be silent for so long. */
  allowSilence(seconds: number): void;
}

/** A request whose login is right. */
interface Call extends Visit {
  user: Address;
  mail: MailActions;
  /** What the path holds in place of `:uid` and `:mailbox`. */
  place: { uid?: number; mailbox?: string };
}

interface Route {
  needs: "imap" | "smtp";
  path: RegExp;
  methods: Partial<Record<string, (call: Call) => Promise<Response>>>;
}

export class WebmailApi {
  readonly #parts: WebmailApiParts;
  readonly #routes: readonly Route[];

  constructor(parts: WebmailApiParts) {
    this.#parts = parts;
    this.#routes = [
      route("imap", "/webimap/mailboxes", { GET: async ({ mail }) => json(await mail.mailboxes()) }),
      route("imap", "/webimap/messages", { GET: (call) => this.#messages(call) }),
      route("imap", "/webimap/message/flags", { POST: (call) => this.#flags(call) }),
      route("imap", "/webimap/message/:uid", { GET: (call) => this.#message(call), DELETE: remove }),
      route("imap", "/webimap/messages/:mailbox/:uid", { DELETE: remove }),
      route("smtp", "/webimap/send", { POST: (call) => this.#send(call) }),
      route("smtp", "/websmtp/send", { POST: (call) => this.#send(call) }),
    ];
  }

  /** Answers what came to `/webimap/…` and `/websmtp/…`. Never rejects. */
  async answer(visit: Visit): Promise<Response> {
    const { request } = visit;
    const cross = crossOrigin(request, this.#parts.settings().cors_origins);
    const headers = { ...corsHeaders(cross, webmailCors), "Cache-Control": "no-store" };
    try {
      const { route: found, place } = this.#find(visit.url.pathname);
      if (request.method === "OPTIONS") return preflight(cross, headers);
      const method = found.methods[request.method];
      if (method === undefined) return methodNotAllowed(found, headers);
      this.#parts.entrance.count(visit.peerAddress);
      const user = await this.#parts.entrance.login(headerCredentials(request), visit.peerAddress);
      const mail = new MailActions(this.#parts.store, user);
      return withHeaders(await method({ ...visit, user, mail, place }), headers);
    } catch (error) {
      return withHeaders(faultAnswer(error, this.#parts.log), headers);
    }
  }

  /** @throws {WebmailError} 404 */
  #find(pathname: string): { route: Route; place: Call["place"] } {
    const settings = this.#parts.settings();
    for (const each of this.#routes) {
      const match = each.path.exec(pathname);
      if (match === null || !settings[each.needs]) continue;
      const { uid, mailbox } = match.groups ?? {};
      return {
        route: each,
        place: {
          ...(uid === undefined ? {} : { uid: Number(uid) }),
          ...(mailbox === undefined ? {} : { mailbox: decoded(mailbox) }),
        },
      };
    }
    throw new WebmailError(404, "not found");
  }

  async #messages(call: Call): Promise<Response> {
    const { searchParams } = call.url;
    const { mailbox, since_uid: sinceUid } = understood(requests.messages, {
      mailbox: searchParams.get("mailbox") ?? undefined,
      since_uid: numberIn(searchParams, "since_uid"),
    });
    const waitS = Math.min(numberIn(searchParams, "wait") ?? 0, WAIT_MAX_S);
    if (waitS > 0) await this.#awaitNews(call, mailbox, sinceUid, waitS);
    return json(await call.mail.messages(mailbox, sinceUid));
  }

  /** Resolves when there is a message above the UID, or the time is over. @throws {WebmailError} when shown out */
  async #awaitNews(call: Call, name: string, sinceUid: number, waitS: number): Promise<void> {
    const { hub, clock, guests } = this.#parts;
    const { request, user } = call;
    const over = Promise.withResolvers<void>();
    const dismiss = ({ status, text }: Farewell) => over.reject(new WebmailError(status, text));
    over.promise.catch(() => {}); // awaited only below
    // At once, so that no revocation falls between the login and this.
    const leave = guests.enter(user, { dismiss });
    try {
      const mailbox = await call.mail.watch(name);
      const look = () => {
        if ((mailbox.messages.at(-1)?.uid ?? 0) > sinceUid) over.resolve();
      };
      const unsubscribe = hub.subscribe(user, look);
      const cancel = clock.after(waitS * 1000, () => over.resolve());
      const gone = () => over.resolve();
      request.signal.addEventListener("abort", gone);
      try {
        look();
        call.allowSilence(waitS + WAIT_GRACE_S);
        await over.promise;
      } finally {
        request.signal.removeEventListener("abort", gone);
        cancel();
        unsubscribe();
        mailbox.release();
      }
    } finally {
      leave();
    }
  }

  async #message({ url, place, mail }: Call): Promise<Response> {
    const { searchParams } = url;
    const { mailbox, uid, encoding } = understood(requests.message, {
      mailbox: searchParams.get("mailbox") ?? undefined,
      uid: place.uid,
      encoding: searchParams.get("encoding") ?? undefined,
    });
    return messageJson(await mail.open(mailbox, uid), encoding);
  }

  async #flags({ request, mail }: Call): Promise<Response> {
    const body = await readBody(request, BODY_MAX_BYTES);
    if (body === undefined) throw new WebmailError(413, "request body too large");
    await mail.setFlags(understood(requests.flags, jsonIn(body)));
    return json({ status: "ok" });
  }

  async #send({ request, user }: Call): Promise<Response> {
    const { sender, budget } = this.#parts;
    const maxBytes = Math.ceil(sender.messageMaxBytes * JSON_FACTOR) + BODY_MAX_BYTES;
    const announced = Number(request.headers.get("content-length") ?? maxBytes);
    const giveBack = budget.take(Math.min(Number.isNaN(announced) ? maxBytes : announced, maxBytes));
    try {
      const bytes = await readBody(request, maxBytes);
      if (bytes === undefined) throw new WebmailError(413, "552 5.3.4 message file too big");
      const { from, to, body, encoding } = understood(requests.send, jsonIn(bytes));
      await sender.send(user, { from, to, message: messageBytes(body, encoding) });
      return json({ status: "sent" });
    } finally {
      giveBack();
    }
  }
}

async function remove({ url, place, mail }: Call): Promise<Response> {
  const { mailbox, uid } = understood(requests.uid, {
    mailbox: place.mailbox ?? url.searchParams.get("mailbox") ?? undefined,
    uid: place.uid,
  });
  await mail.remove(mailbox, uid);
  return json({ status: "deleted" });
}

/** The answer to what went wrong; a bug is logged and told as one. */
export function faultAnswer(error: unknown, log: Log): Response {
  const fault = expectedFault(error);
  if (fault === undefined) log.emit({ kind: "internalFault", where: "webmail", error });
  const { status, message } = fault ?? { status: 500, message: "internal fault" };
  const later = status === 429 || status === 503 ? { "Retry-After": String(RETRY_AFTER_S) } : {};
  return Response.json({ error: message }, { status, headers: later });
}

function route(needs: Route["needs"], path: string, methods: Route["methods"]): Route {
  const pattern = path.replace(":uid", "(?<uid>\\d{1,10})").replace(":mailbox", "(?<mailbox>[^/]+)");
  return { needs, path: new RegExp(`^${pattern}/?$`), methods };
}

function methodNotAllowed({ methods }: Route, headers: Record<string, string>): Response {
  const allow = [...Object.keys(methods), "OPTIONS"].join(", ");
  return Response.json(
    { error: "method not allowed" },
    { status: 405, headers: { ...headers, Allow: allow } },
  );
}

function withHeaders(response: Response, headers: Record<string, string>): Response {
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

function json(value: unknown): Response {
  return Response.json(value);
}

/** @throws {WebmailError} */
function jsonIn(bytes: Uint8Array): unknown {
  const value = parseJson(new TextDecoder().decode(bytes));
  if (value === undefined) throw new WebmailError(400, "invalid JSON");
  return value;
}

/** @returns undefined when it is absent @throws {WebmailError} */
function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (!/^\d{1,10}$/.test(text)) throw new WebmailError(400, `invalid request: ${name}: expected a number`);
  return Number(text);
}

/** @throws {WebmailError} */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    throw new WebmailError(400, "invalid request: mailbox: bad percent-encoding", { cause: error });
  }
}
