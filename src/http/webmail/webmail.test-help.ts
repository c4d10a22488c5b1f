/** Mail in the browser over a Maildir store in a directory of its own, without a port: requests, and sockets by hand. */
import type { Authenticator, LoginAttempt, LoginResult } from "../../auth/authenticator.ts";
import type { Address } from "../../core/address.ts";
import { Door } from "../../delivery/door.ts";
import { unasked } from "../../policy/origin.ts";
import { House } from "../../operations/accounts.test-help.ts";
import { deliverTo } from "../../storage/store.test-help.ts";
import type { Link, Session } from "./session.ts";
import { Webmail } from "./webmail.ts";

const PASSWORD = "a password of the test";

/** What a client of a socket sees. */
export class FakeLink implements Link {
  readonly said: { req_id?: string; action: string; data: unknown }[] = [];
  readonly closed: string[] = [];
  pings = 0;
  unsentBytes = 0;
  #wake = Promise.withResolvers<void>();

  send(text: string): void {
    this.said.push(JSON.parse(text) as FakeLink["said"][number]);
    this.#changed();
  }

  ping(): void {
    this.pings++;
  }

  close(code: number, reason: string): void {
    this.closed.push(`${code} ${reason}`);
    this.#changed();
  }

  terminate(): void {
    this.closed.push("terminated");
    this.#changed();
  }

  /** Resolves when so many messages came. */
  async heard(count: number): Promise<FakeLink["said"]> {
    while (this.said.length < count) await this.#wake.promise;
    return this.said;
  }

  #changed(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

export class WebHouse {
  readonly house: House;
  readonly webmail: Webmail;
  readonly alice: Address;
  readonly bob: Address;
  settings = { imap: true, smtp: true, cors_origins: [] as string[] };
  /** Instead of asking for name and password. */
  loginResult: LoginResult | undefined;
  readonly attempts: LoginAttempt[] = [];
  /** Seconds of silence that requests asked for. */
  readonly silences: number[] = [];
  peerAddress = "192.0.2.1";
  /** The session of the last upgrade. */
  session: Session | undefined;

  static async open(limits: { message_size?: number; send_per_minute?: number } = {}): Promise<WebHouse> {
    return new WebHouse(await House.open(), limits);
  }

  private constructor(house: House, limits: { message_size?: number; send_per_minute?: number }) {
    this.house = house;
    const { config, store, state, clock, fixture } = house;
    const log = {
      emit: (event: House["events"][number]) => void house.events.push(event),
      counts: () => new Map(),
    };
    this.alice = house.account("alice");
    this.bob = house.account("bob");
    const auth: Authenticator = { login: (attempt) => this.#login(attempt) };
    const door = new Door({
      settings: { ...config, limits: { ...config.limits, ...limits } },
      store,
      accounts: {
        exists: (address) => state.accounts.has(address),
        blocked: (address) => state.blocklist.has(address),
        quotaBytes: (address) => state.accounts.quotaBytes(address),
      },
      counters: { add: () => undefined },
      origin: { open: () => unasked },
      log,
      clock,
    });
    this.webmail = new Webmail({
      settings: () => this.settings,
      store,
      hub: fixture.hub,
      auth,
      door,
      clock,
      log,
    });
  }

  async deliver(user: Address, text: string, mailbox = "INBOX"): Promise<void> {
    await deliverTo(this.house.store, text, { user, mailbox });
  }

  /** A request, of alice unless said. @returns the answer, or undefined where a socket took over */
  ask(method: string, path: string, init: RequestInit & { as?: Address | null } = {}) {
    const { as = this.alice, ...rest } = init;
    const headers = new Headers(rest.headers);
    if (as !== null) {
      headers.set("X-Email", as);
      headers.set("X-Password", PASSWORD);
    }
    const request = new Request(`http://relay.test${path}`, { ...rest, method, headers });
    const server = {
      timeout: (_: Request, seconds: number) => void this.silences.push(seconds),
      upgrade: (_: Request, options?: { data?: Session }) => {
        this.session = options?.data;
        return true;
      },
    };
    return this.webmail.answer(request, server, this.peerAddress);
  }

  /** Status and JSON. */
  async told(method: string, path: string, init: RequestInit & { as?: Address | null } = {}) {
    const answer = await this.ask(method, path, init);
    return [answer?.status, await answer?.json()];
  }

  /** A socket with a login, or without one. */
  async socket(query = this.credentials()): Promise<{ session: Session; link: FakeLink }> {
    const headers = { upgrade: "websocket" };
    const refused = await this.ask("GET", `/webimap/ws${query}`, { as: null, headers });
    if (refused !== undefined) throw new Error(`${refused.status} ${await refused.text()}`);
    const { session } = this;
    if (session === undefined) throw new Error("no session");
    const link = new FakeLink();
    session.opened(link);
    return { session, link };
  }

  credentials(more = "", user = this.alice): string {
    return `?email=${encodeURIComponent(user)}&password=${encodeURIComponent(PASSWORD)}${more}`;
  }

  async dispose(): Promise<void> {
    await this.house.dispose();
  }

  async #login(attempt: LoginAttempt): Promise<LoginResult> {
    this.attempts.push(attempt);
    if (this.loginResult !== undefined) return this.loginResult;
    const user = attempt.username as Address;
    const isRight = attempt.password === PASSWORD && this.house.state.accounts.has(user);
    return await Promise.resolve(isRight ? { ok: true, user } : { ok: false, why: "badCredentials" });
  }
}

/** Lets everything else happen until it is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise<void>((resolve) => setImmediate(resolve));
}
