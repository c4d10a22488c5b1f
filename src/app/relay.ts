/**
 * The relay, put together: the only place where rooms meet as objects. Start builds from the state directory up to
 * the listeners; stop goes the other way, and nothing that was answered 250 is lost on it.
 */
import { generateName, generatePassword, systemRandom } from "../auth/names.ts";
import type { Config } from "../config/config.ts";
import { applySettings } from "../config/settings.ts";
import { type Address, parseAddress } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Courier } from "../delivery/courier.ts";
import type { SiteFacts } from "../http/facts.ts";
import { dcloginLink, inviteLink } from "../http/links.ts";
import type { Log } from "../log/events.ts";
import { Tally } from "../metrics/tally.ts";
import { ConnectionLimits } from "../net/connection-limits.ts";
import { Operations } from "../operations/operations.ts";
import { TlsMaterialStore } from "../tls/material.ts";
import { tlsSource } from "../tls/source.ts";
import { Admin } from "./admin.ts";
import { Certificates } from "./certificates.ts";
import { ControlServer } from "./control.ts";
import { DkimKeyError, DkimKeys } from "./dkim-keys.ts";
import { createResolver } from "./federation.ts";
import { type Front, openFront, type RelayAddresses } from "./front.ts";
import { type Ground, openGround } from "./ground.ts";
import { IrohService } from "./iroh.ts";
import { type LiveParts, liveRelay } from "./live.ts";
import { openMail } from "./mail.ts";
import { Metrics } from "./metrics.ts";
import { keepUntilReload, reloadKeys, restartOnly, StartError } from "./relay-facts.ts";
import { Supervisor } from "./supervisor.ts";
import { createSurvey, type Survey } from "./survey.ts";
import { TurnService } from "./turn.ts";
import { dnsReport } from "./zone.ts";

export interface RelayParts {
  config: Config;
  /** Reads the configuration again, for operators who ask for it. @throws {ConfigError} */
  reread: () => Config;
  log: Log;
  /** Takes changed settings of the log. @returns what could not be taken, for the operator */
  relog?: ((config: Config) => string | undefined) | undefined;
  /** Ends this process and starts the relay anew; absent where nobody can. */
  restart?: (() => void) | undefined;
  clock: Clock;
  /** Instead of the ways to other servers that the configuration describes. */
  courier?: Courier;
}

export class Relay {
  readonly #tally = new Tally();
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #courier: Courier | undefined;
  readonly #reread: () => Config;
  readonly #restart: (() => void) | undefined;
  readonly #supervisor: Supervisor;
  readonly #startedAtMs: number;
  /** As the file says. */
  #file: Config;
  /** In force: what settings say over it. */
  #config: Config;
  /** Ends when the last change of configuration has been taken: one after the other. */
  #changing: Promise<unknown> = Promise.resolve();
  #ground: Ground | undefined;
  #front: Front | undefined;
  #metrics: Metrics | undefined;
  #admin: Admin | undefined;

  constructor({ config, reread, log, relog, restart, clock, courier }: RelayParts) {
    this.#restart = restart;
    this.#courier = courier;
    this.#file = config;
    this.#config = config;
    this.#reread = reread;
    this.#log = this.#tally.over(log);
    this.#clock = clock;
    this.#startedAtMs = clock.nowMs();
    this.#supervisor = new Supervisor(log);
    if (relog !== undefined) this.#supervisor.onReload(relog);
  }

  /**
   * Starts everything. On failure all that was begun is undone.
   * @throws {StartError | DatabaseError | TlsMaterialError | ListenError | StorageError} with a message for the operator
   */
  async start(): Promise<RelayAddresses & { metrics: string[] }> {
    try {
      const front = await this.#start();
      return { ...front.addresses(), metrics: this.#metrics?.bound() ?? [] };
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Stops in reverse; harmless when repeated. */
  stop(): Promise<void> {
    return this.#supervisor.stop();
  }

  /**
   * Reads the configuration again, and settings, certificates and keys with it. Listeners move where their addresses
   * changed. @returns what could not be taken, for the operator @throws {ConfigError}; then nothing has changed
   */
  reload(): Promise<string[]> {
    return this.#inTurn(async () => {
      const file = this.#reread();
      this.#ground?.state.hydrateFederation();
      const wanted = applySettings(file, (key) => this.#setting(key));
      const kept = restartOnly.filter(
        (key) => JSON.stringify(wanted[key]) !== JSON.stringify(this.#config[key]),
      );
      this.#file = file;
      const notices = await this.#take({
        ...wanted,
        ...Object.fromEntries(kept.map((key) => [key, this.#config[key]])),
      });
      return [...kept.map((key) => `${key} changed: takes effect at the next start`), ...notices];
    });
  }

  /** Puts settings into force that need no reload. @returns what could not be taken, for the operator */
  applySettings(): Promise<string[]> {
    return this.#inTurn(() => {
      const wanted = applySettings(this.#file, (key) => this.#setting(key));
      return this.#take(keepUntilReload(wanted, this.#config));
    });
  }

  async #take(next: Config): Promise<string[]> {
    this.#config = next;
    const { config, notices } = await this.#supervisor.reload(next);
    this.#config = config;
    return notices;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(work);
    this.#changing = done.catch(() => {});
    return done;
  }

  #setting(key: string): string | undefined {
    return this.#ground?.state.settings.get(key);
  }

  /** What the site tells; also the ports for account links. @throws {Error} before `start` */
  facts(): SiteFacts {
    return this.#opened().facts();
  }

  /**
   * Credentials that become an account at their first login, so that a link nobody uses leaves nothing behind.
   * @returns undefined where accounts are not made at login
   */
  inventAccount(): { address: Address; password: string } | undefined {
    const { domains, accounts } = this.#config;
    const address = parseAddress(`${generateName(systemRandom, accounts)}@${domains[0]}`);
    if (address === undefined || this.#ground?.state.settings.jitEnabled !== true) return undefined;
    return { address, password: generatePassword(systemRandom, accounts) };
  }

  /** What a phone scans to use an account. */
  accountLink(account: { address: Address; password: string }): string {
    const { host, ports, trusted, linkSecurity: security } = this.facts();
    return dcloginLink({ ...account, host, ports, trusted, security });
  }

  /** What gives an account to who has the token. */
  inviteLink(token: string): string {
    const { host, ports } = this.facts();
    return inviteLink(token, host, ports.https);
  }

  /** Opens the panel once, within a quarter of an hour; undefined while the panel is off. */
  loginLink(): string | undefined {
    return this.#admin?.loginLink(this.facts());
  }

  async #start(): Promise<Front> {
    const log = this.#log;
    const clock = this.#clock;
    const supervisor = this.#supervisor;
    const config = () => this.#config;
    const ground = await openGround({ config, clock, log, supervisor });
    this.#ground = ground;
    this.#config = applySettings(this.#file, (key) => this.#setting(key));
    const metrics = new Metrics(ground, this.#tally, this.#startedAtMs);
    this.#metrics = metrics;
    const tls = new TlsMaterialStore(tlsSource(this.#config), clock);
    await tls.load();
    const resolver = createResolver(this.#config, clock);
    const certificates = new Certificates({ config: this.#config, tls, resolver, clock, log });
    const dkim = this.#openDkim();
    const limits = new ConnectionLimits({
      total: this.#config.limits.connections,
      perAddress: this.#config.limits.connections_per_address,
    });
    const turn = new TurnService({ config: this.#config, getTls: () => tls.current(), limits, log, clock });
    const iroh = new IrohService({ config: this.#config, clock, log });
    supervisor.onStop(() => iroh.stop());
    supervisor.onReload((next) => certificates.reconfigure(next));
    supervisor.onReload((next) => iroh.reconfigure(next));
    supervisor.onReload((next) => turn.reconfigure(next));
    supervisor.onReload(() => reloadKeys(dkim));
    const mail = await openMail({
      ground,
      supervisor,
      observer: metrics.figures.observer,
      resolver,
      dkim,
      iroh,
      turn,
      limits,
      courier: this.#courier,
    });
    const admin = new Admin(ground);
    this.#admin = admin;
    const survey = createSurvey({ config, keys: dkim });
    const checkDns = () => dnsReport(this.#config, dkim, resolver);
    const parts = { ground, mail, turn, iroh, certificates, metrics, checkDns };
    const operations = this.#operations(parts, survey);
    const front = await openFront({
      ground,
      supervisor,
      mail,
      tls,
      httpProof: certificates.httpProof,
      dkim,
      iroh,
      turn,
      limits,
      admin,
      operations,
    });
    this.#front = front;
    supervisor.onStop(() => certificates.stop());
    certificates.start();
    supervisor.onStop(() => ground.care.stop());
    await ground.care.start((user) => mail.imap.sessions.has(user));
    supervisor.onReload(() => ground.care.reconfigure());
    supervisor.onStop(() => metrics.stop());
    await metrics.start({
      queue: () => mail.queue.queue.status(),
      connections: () => front.connections(),
      turn: () => turn.totals(),
    });
    supervisor.onReload((next) => metrics.reconfigure(next));
    // Operators come in when all else works, and are shown out first.
    const control = new ControlServer(this.#config.stateDir, operations, log);
    control.start();
    supervisor.onStop(() => control.stop());
    return front;
  }

  /** @throws {Error} before `start` */
  #opened(): Front {
    if (this.#front === undefined) throw new Error("the relay is not started");
    return this.#front;
  }

  /** What operators can do. Nobody can ask before the front is open. */
  #operations(
    parts: Pick<LiveParts, "ground" | "mail" | "turn" | "iroh" | "certificates" | "metrics" | "checkDns">,
    survey: Survey,
  ): Operations {
    const live = liveRelay({
      ...parts,
      front: () => this.#opened(),
      startedAtMs: this.#startedAtMs,
      reload: () => this.reload(),
      restart: this.#restart,
      applySettings: () => this.applySettings(),
      loginLink: () => this.loginLink(),
    });
    return new Operations({
      ...parts.ground,
      fileConfig: () => this.#file,
      accountLink: (account) => this.accountLink(account),
      inviteLink: (token) => this.inviteLink(token),
      survey,
      live,
    });
  }

  #openDkim(): DkimKeys {
    try {
      return DkimKeys.open(this.#config.stateDir, this.#clock);
    } catch (error) {
      if (!(error instanceof DkimKeyError)) throw error;
      throw new StartError(error.message, { cause: error });
    }
  }
}
