/**
 * The relay, put together: the only place where rooms meet as objects. Start builds from the state directory up to
 * the listeners; stop goes the other way, and nothing that was answered 250 is lost on it.
 */
import { join } from "node:path";
import { AccountOperations } from "../auth/account-operations.ts";
import { HashSlots } from "../auth/hash-slots.ts";
import { Login } from "../auth/login.ts";
import { generateName, generatePassword, systemRandom } from "../auth/names.ts";
import { Registration } from "../auth/registration.ts";
import { Revocations } from "../auth/revocations.ts";
import type { Config } from "../config/config.ts";
import { type Address, type Domain, parseAddress } from "../core/address.ts";
import { type ChangeHub, LocalChangeHub } from "../core/changes.ts";
import type { Clock } from "../core/clock.ts";
import { DeviceTokens } from "../db/device-tokens.ts";
import { lockStateDirectory } from "../db/lock.ts";
import { closeDatabase, type Db, openDatabase } from "../db/open.ts";
import { AppendDoor } from "../delivery/append.ts";
import type { Courier } from "../delivery/courier.ts";
import { Door } from "../delivery/door.ts";
import type { DeliveryListener } from "../delivery/report.ts";
import { ExchangerPoller } from "../delivery/exchanger.ts";
import type { Resolver } from "../dns/resolver.ts";
import { createApp, type SiteFacts, type Registration as SiteRegistration } from "../http/app.ts";
import { ImapHost } from "../imap/server.ts";
import type { Log } from "../log/events.ts";
import { ConnectionLimits } from "../net/connection-limits.ts";
import { DeflateStream } from "../net/deflate.ts";
import { frontDoor } from "../net/front-door.ts";
import { Introductions } from "../net/introductions.ts";
import { HttpBackend } from "../net/http-backend.ts";
import { OriginChecker } from "../policy/origin.ts";
import type { AccountLookup } from "../policy/recipient.ts";
import { smtpAccept } from "../smtp/server.ts";
import { HotState } from "../state/hot-state.ts";
import { MaildirStore } from "../storage/maildir.ts";
import { TlsMaterialStore } from "../tls/material.ts";
import { Care } from "./care.ts";
import { createCourier, createInbound, createResolver, inboundSettings } from "./federation.ts";
import { IrohService } from "./iroh.ts";
import { type BoundAddresses, Listeners } from "./listeners.ts";
import { MailSigner, watchKeys } from "./dkim.ts";
import { DkimKeyError, DkimKeys } from "./dkim-keys.ts";
import { relayMetadata } from "./metadata.ts";
import {
  imapSettings,
  makeStateDir,
  reloadKeys,
  restartOnly,
  revokedTexts,
  siteFacts,
  siteRegistration,
  StartError,
  tlsSource,
} from "./relay-facts.ts";
import { createPusher, pushMode } from "./push.ts";
import { MailQueue } from "./queue.ts";
import { Shadowsocks } from "./shadowsocks.ts";
import { type TurnAddresses, TurnService } from "./turn.ts";
import { stsHost } from "./zone.ts";

/** What listens where. */
export type RelayAddresses = BoundAddresses & TurnAddresses & { shadowsocks: string[] };

export interface RelayParts {
  config: Config;
  log: Log;
  clock: Clock;
  /** Instead of the ways to other servers that the configuration describes. */
  courier?: Courier;
}

export class Relay {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #courier: Courier | undefined;
  #config: Config;
  /** What `stop` undoes, last first. */
  readonly #undo: (() => void | Promise<void>)[] = [];
  #reloaders: ((config: Config) => void | Promise<string | undefined>)[] = [];
  #state: HotState | undefined;
  #facts: (() => SiteFacts) | undefined;
  #stopping: Promise<void> | undefined;

  constructor({ config, log, clock, courier }: RelayParts) {
    this.#courier = courier;
    this.#config = config;
    this.#log = log;
    this.#clock = clock;
  }

  /**
   * Starts everything. On failure all that was begun is undone.
   * @throws {StartError | DatabaseError | TlsMaterialError | ListenError | StorageError} with a message for the operator
   */
  async start(): Promise<RelayAddresses> {
    try {
      return await this.#start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Stops in reverse; harmless when repeated. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /**
   * Takes a new configuration and reads certificates again. Listeners, state directory and storage stay as they are.
   * @returns what could not be taken, for the operator
   */
  async reload(config: Config): Promise<string[]> {
    const kept = restartOnly.filter(
      (key) => JSON.stringify(config[key]) !== JSON.stringify(this.#config[key]),
    );
    const notices = kept.map((key) => `${key} changed: takes effect at the next start`);
    this.#config = { ...config, ...Object.fromEntries(kept.map((key) => [key, this.#config[key]])) };
    for (const reloader of this.#reloaders) {
      const notice = await reloader(this.#config);
      if (notice !== undefined) notices.push(notice);
    }
    return notices;
  }

  /** What the site tells; also the ports for account links. @throws {Error} before `start` */
  facts(): SiteFacts {
    if (this.#facts === undefined) throw new Error("the relay is not started");
    return this.#facts();
  }

  /**
   * Credentials that become an account at their first login, so that a link nobody uses leaves nothing behind.
   * @returns undefined where accounts are not made at login
   */
  inventAccount(): { address: Address; password: string } | undefined {
    const { domains, accounts } = this.#config;
    const address = parseAddress(`${generateName(systemRandom, accounts)}@${domains[0]}`);
    if (address === undefined || this.#state?.settings.jitEnabled !== true) return undefined;
    return { address, password: generatePassword(systemRandom, accounts) };
  }

  async #start(): Promise<RelayAddresses> {
    const log = this.#log;
    const clock = this.#clock;
    const config = () => this.#config;
    const { state, db } = await this.#openState();
    const tls = await this.#openTls();
    const hub = new LocalChangeHub();
    const store = await this.#openStore(hub);
    const resolver = createResolver(this.#config, clock);
    const dkim = this.#openDkim();
    this.#undo.push(watchKeys({ keys: dkim, resolver, domains: this.#config.domains, clock, log }));

    const revocations = new Revocations();
    const slots = new HashSlots();
    const auth = new Login({ state, config, clock, log, slots, revocations });
    this.#undo.push(() => auth.settled());
    const registration = new Registration({ state, config, log, slots });
    const accounts: AccountLookup = {
      exists: (address) => state.accounts.has(address),
      blocked: (address) => state.blocklist.has(address),
      quotaBytes: (address) => state.accounts.quotaBytes(address),
    };
    const gate = { store, accounts, log, clock };
    const origin = new OriginChecker({ resolver, clock, mode: () => this.#config.federation.dkim });
    const tokens = new DeviceTokens(db, clock);
    const { limits } = this.#config;
    const connections = new ConnectionLimits({
      total: limits.connections,
      perAddress: limits.connections_per_address,
    });
    const turn = new TurnService({
      config: this.#config,
      getTls: () => tls.current(),
      limits: connections,
      log,
      clock,
    });
    const { settings } = state;
    const iroh = new IrohService({ config: this.#config, settings, clock, log });
    this.#undo.push(() => iroh.stop());
    const pushes = () => pushMode(this.#config, settings) !== "off";
    const pusher = createPusher({ db, tokens, config, settings, log, clock });
    await pusher.start();
    this.#undo.push(() => pusher.stop());
    const onDelivered: DeliveryListener = (users, sender) => pusher.delivered(users, sender);
    const queue = await this.#openQueue({ store, state, resolver, keys: dkim, onDelivered });
    const door = new Door({
      ...gate,
      settings: this.#config,
      counters: state.counters,
      origin,
      federation: state.federation,
      outgoing: queue.outgoing,
      onDelivered,
    });
    const poller = new ExchangerPoller({ exchangers: state.exchangers, door, fetch, clock, log });
    await poller.start();
    this.#undo.push(() => poller.stop());
    const append = new AppendDoor({ ...gate, settings: this.#config });
    const imap = new ImapHost({
      store,
      auth,
      hub,
      clock,
      log,
      metadata: relayMetadata(config, tokens, {
        irohUrl: () => iroh.url(),
        turn: () => turn.metadata(),
        pushes,
      }),
      quotaBytes: (user) => state.accounts.quotaBytes(user),
      judgeAppend: (user) => append.open(user),
      newDeflate: () => new DeflateStream(),
      settings: () => imapSettings(this.#config, pushes()),
    });
    revocations.onRevoked((user, why) => {
      imap.disconnect(user, revokedTexts[why]);
      if (why === "removed") this.#forget(user, store, tokens);
    });
    this.#reloaders = [
      (next) => door.reconfigure(next),
      (next) => append.reconfigure(next),
      async (next) => iroh.reconfigure(next),
      (next) => {
        state.hydrateFederation();
        queue.reconfigure(next);
        poller.look();
      },
      async () => {
        const result = await tls.reload();
        return result.do === "kept" ? `certificate not replaced: ${result.why}` : undefined;
      },
      (next) => turn.reconfigure(next),
      () => reloadKeys(dkim),
    ];
    const site = siteRegistration(registration, state);
    const bound = await this.#listen({
      door,
      auth,
      imap,
      iroh,
      tls,
      dkim,
      turn,
      connections,
      state,
      registration: site,
    });
    this.#undo.push(() => turn.stop());
    const care = new Care({
      config,
      state,
      db,
      store,
      accounts: new AccountOperations({ state, config, log, slots, revocations }),
      isConnected: (user) => imap.sessions.has(user),
      clock,
      log,
    });
    await care.start();
    this.#undo.push(() => care.stop());
    this.#reloaders.push(() => care.reconfigure());
    return { ...bound, ...(await turn.start()) };
  }

  async #openState(): Promise<{ state: HotState; db: Db }> {
    const { stateDir } = this.#config;
    makeStateDir(stateDir);
    this.#undo.push(lockStateDirectory(stateDir));
    const db = openDatabase(join(stateDir, "madmail.db"));
    this.#undo.push(() => closeDatabase(db));
    const state = new HotState({ db, config: () => this.#config, clock: this.#clock, log: this.#log });
    await state.start();
    this.#state = state;
    this.#undo.push(() => state.stop());
    return { state, db };
  }

  async #openTls(): Promise<TlsMaterialStore> {
    const tls = new TlsMaterialStore(tlsSource(this.#config), this.#clock);
    await tls.load();
    return tls;
  }

  #openDkim(): DkimKeys {
    try {
      return DkimKeys.open(this.#config.stateDir, this.#clock);
    } catch (error) {
      if (!(error instanceof DkimKeyError)) throw error;
      throw new StartError(error.message, { cause: error });
    }
  }

  async #openStore(hub: ChangeHub): Promise<MaildirStore> {
    const { stateDir, storage } = this.#config;
    const store = new MaildirStore({
      root: join(stateDir, "mail"),
      spoolDir: join(stateDir, "spool"),
      fsync: storage.fsync,
      hub,
      clock: this.#clock,
      log: this.#log,
    });
    await store.start();
    this.#undo.push(() => store.close());
    return store;
  }

  async #openQueue(needs: {
    store: MaildirStore;
    state: HotState;
    resolver: Resolver;
    keys: DkimKeys;
    onDelivered: DeliveryListener;
  }): Promise<MailQueue> {
    const { store, state, resolver, keys, onDelivered } = needs;
    const parts = { clock: this.#clock, log: this.#log };
    const isLocal = (domain: Domain): boolean => this.#config.domains.includes(domain);
    const signer = new MailSigner({ keys, isLocal, clock: this.#clock });
    const config = () => this.#config;
    const ways = createCourier({ ...parts, config, resolver, overrides: state.overrides, signer });
    this.#undo.push(() => ways.stop());
    const courier = this.#courier ?? ways.courier;
    const queue = new MailQueue({ ...parts, config: this.#config, courier, store, state, onDelivered });
    await queue.start();
    this.#undo.push(() => queue.stop());
    return queue;
  }

  async #listen(parts: {
    door: Door;
    auth: Login;
    imap: ImapHost;
    iroh: IrohService;
    tls: TlsMaterialStore;
    dkim: DkimKeys;
    turn: TurnService;
    connections: ConnectionLimits;
    state: HotState;
    registration: SiteRegistration;
  }): Promise<Omit<RelayAddresses, keyof TurnAddresses>> {
    const { door, auth, imap, iroh, tls, dkim, turn, connections, state, registration } = parts;
    const log = this.#log;
    const clock = this.#clock;
    const { hostname, listen } = this.#config;
    const smtp = { hostname, door, auth, log, clock, tlsAvailable: true };
    const submissions = smtpAccept({ ...smtp, mode: "submissions" });
    const introductions = new Introductions();
    const facts = (): SiteFacts => ({
      ...siteFacts(this.#config, listeners, tls),
      proxyLink: this.#config.shadowsocks.on_site ? shadowsocks.link() : undefined,
    });
    this.#facts = facts;
    const peerAddress = (request: Request): string => backend.peerOf(request)?.address ?? "";
    const inbound = createInbound({ config: this.#config, door, peerAddress, clock, log });
    this.#reloaders.push((next) => inbound.reconfigure(inboundSettings(next)));
    const app = createApp({
      facts,
      registration,
      wellKnown: {
        stsHost: () => stsHost(this.#config.hostname, !tls.facts().selfSigned),
        domainKey: (selector) => dkim.all().find((key) => key.selector === selector)?.record,
      },
      peerAddress,
      federation: (request) => inbound.answer(request),
      clock,
      log,
    });
    const backend = new HttpBackend({
      fetch: (request) => app.fetch(request),
      onError: (error) => {
        log.emit({ kind: "internalFault", where: "http", error });
        return new Response("Internal error\n", { status: 500 });
      },
    });
    await backend.start();
    this.#undo.push(() => backend.stop());
    const rawRoutes = iroh.routes;
    await iroh.start({
      limits: connections,
      http: backend,
      places: () => ({
        http: listeners.port("http"),
        https: listeners.port("https"),
        trusted: !tls.facts().selfSigned,
      }),
    });
    const listeners = new Listeners({
      answering: {
        smtp: smtpAccept({ ...smtp, mode: "smtp", tlsRequired: () => this.#config.smtp.require_tls }),
        submission: smtpAccept({ ...smtp, mode: "submission" }),
        submissions,
        imap: imap.accept,
        http: frontDoor({ http: backend, rawRoutes, clock, log }),
        https: frontDoor({
          http: backend,
          imap: imap.accept,
          submission: submissions,
          rawRoutes,
          turn: turn.accept,
          clock,
          log,
        }),
      },
      getTls: () => tls.current(),
      limits: connections,
      introductions,
      log,
      clock,
    });
    const shadowsocks = new Shadowsocks({
      config: () => this.#config,
      settings: state.settings,
      introductions,
      hostOf: (port) => listeners.hostOf(port),
      log,
      clock,
    });
    // Begun before and stopped after the listeners, whose goodbyes go through the tunnels.
    this.#undo.push(() => shadowsocks.stop());
    await shadowsocks.start();
    this.#reloaders.push(() => shadowsocks.reconfigure());
    this.#undo.push(() => listeners.stop());
    return { ...(await listeners.start(listen)), shadowsocks: shadowsocks.bound() };
  }

  #forget(user: Address, store: MaildirStore, tokens: DeviceTokens): void {
    tokens.removeAll(user);
    store.remove(user).catch((error: unknown) => {
      this.#log.emit({ kind: "internalFault", where: "account removal", error });
    });
  }

  async #stop(): Promise<void> {
    for (const step of this.#undo.splice(0).toReversed()) {
      try {
        await step();
      } catch (error) {
        this.#log.emit({ kind: "internalFault", where: "stop", error });
      }
    }
  }
}
