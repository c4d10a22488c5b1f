/**
 * The life of the relay's certificate: obtained, renewed in time, watched. The pair in use is TlsMaterialStore's;
 * here is decided when another one is due and who is asked for it.
 *
 * Invariants
 * - One order at a time, and none before the pause after the last failure is over, restarts included; only an
 *   operator may force one.
 * - The key stays the same unless an operator asks for a new one: clients and peers may have pinned it.
 * - Whatever goes wrong, the pair in use stays in use.
 */
import { readFile } from "node:fs/promises";
import type { Config } from "../config/config.ts";
import type { CancelTimer, Clock } from "../core/clock.ts";
import { version } from "../core/version.ts";
import type { Resolver } from "../dns/resolver.ts";
import type { Log } from "../log/events.ts";
import { obtainCertificate, type ProofPlace } from "../tls/acme-order.ts";
import { AcmeError, createTransport } from "../tls/acme-transport.ts";
import { type CertificateFiles, isPair } from "../tls/certificate-files.ts";
import { HttpProofs } from "../tls/http-proofs.ts";
import { acmeFiles, type CertificateFacts, type TlsMaterialStore } from "../tls/material.ts";
import { alarmAtMs, retryDelayMs } from "../tls/renewal.ts";
import { leftOut, OrderMemory, type OrderHistory } from "../tls/order-memory.ts";
import { makeKey } from "../tls/self-signed.ts";
import { directoryOf, tlsSource } from "../tls/source.ts";
import {
  type CertificateStatus,
  certificateStatus,
  dueAtMs,
  type RenewOptions,
  type RenewResult,
} from "../tls/status.ts";
import { wantedNames } from "./certificate-names.ts";
import { openDnsProofs, readSecret } from "./dns-proofs.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** At least this often: the wall clock may jump, files may change, names may come to lead here. */
const LOOK_MS = HOUR_MS;
const LOOK_MIN_MS = 1000;
/** The whole relay stops within ten seconds. */
const STOP_PATIENCE_MS = 5000;
const ALARM_EVERY_MS = DAY_MS;
/** A name that could not be proved is tried again a week later. */
const LEFT_OUT_MS = 7 * DAY_MS;
/** Without that name, soon. */
const NEXT_TRY_MS = 60_000;
/** Clocks differ by seconds; certificates of a few days feel hours. */
const SKEW_TOLERATED_MS = 10 * 60_000;

export interface CertificatesParts {
  config: Config;
  tls: TlsMaterialStore;
  resolver: Resolver;
  /** Instead of what the configuration says: who sets TXT records. */
  dnsProofs?: ProofPlace;
  clock: Clock;
  log: Log;
  /** From 0 to 1; default Math.random. */
  random?: () => number;
}

export class Certificates {
  /** What port 80 answers. */
  readonly httpProof = (host: string, token: string): string | undefined =>
    this.#httpProofs.answer(host, token);
  readonly #httpProofs = new HttpProofs();
  readonly #parts: CertificatesParts;
  readonly #stop = new AbortController();
  #config: Config;
  #files: CertificateFiles;
  #memory: OrderMemory;
  #cancel: CancelTimer = () => {};
  #underWay: Promise<RenewResult> | undefined;
  #looking: Promise<void> | undefined;
  #alarmedAtMs = Number.NEGATIVE_INFINITY;
  #clockAheadMs: number | undefined;
  /** Names of the last order that it could do without. */
  #optional: readonly string[] = [];

  constructor(parts: CertificatesParts) {
    this.#parts = parts;
    this.#config = parts.config;
    this.#files = acmeFiles(parts.config.stateDir);
    this.#memory = new OrderMemory(this.#files);
  }

  /** Looks now and from time to time; call it once port 80 answers. */
  start(): void {
    this.#look();
  }

  /** Ends what is under way; proofs that can't be taken down within a few seconds stay behind. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#cancel();
    const { promise: patience, resolve } = Promise.withResolvers<void>();
    const cancel = this.#parts.clock.after(STOP_PATIENCE_MS, resolve);
    await Promise.race([Promise.all([this.#looking, this.#underWay?.catch(() => {})]), patience]);
    cancel();
  }

  /** @returns what could not be taken, for the operator */
  async reconfigure(config: Config): Promise<string | undefined> {
    const isNews = JSON.stringify(config.acme) !== JSON.stringify(this.#config.acme);
    this.#config = config;
    const { notBeforeMs, lastFailure } = await this.#memory.history();
    // Somebody mended something: the pause was for the fault before, unless the authority asked for it.
    if (isNews && notBeforeMs > 0 && lastFailure?.why !== "rateLimited") {
      await this.#memory.remember({ notBeforeMs: 0 });
    }
    const result = await this.#parts.tls.replaceSource(tlsSource(config));
    this.#look();
    return result.do === "kept" ? `certificate not replaced: ${result.why}` : undefined;
  }

  async status(): Promise<CertificateStatus> {
    const status = await certificateStatus({
      config: this.#config,
      facts: this.#parts.tls.facts(),
      memory: this.#memory,
      nowMs: this.#now(),
    });
    return { ...status, underWay: this.#underWay !== undefined, clockAheadMs: this.#clockAheadMs };
  }

  /** Asks the authority when it is time, or when told to. Never rejects for what an authority does. */
  async renew(options: RenewOptions = {}): Promise<RenewResult> {
    const { mode } = this.#config.tls;
    if (mode !== "acme") return { do: "notAcme" };
    const { force = false, newKey = false, staging = false } = options;
    while (this.#underWay !== undefined) {
      const result = await this.#underWay;
      // Whoever comes second gets the outcome of the first, unless that is not what was asked for.
      if (!newKey && !staging && (!force || result.do === "renewed")) return result;
    }
    this.#underWay = this.#renew(options).finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #renew(options: RenewOptions): Promise<RenewResult> {
    const { force = false, staging = false } = options;
    const facts = this.#parts.tls.facts();
    const history = await this.#memory.history();
    if (!force && !staging) {
      const isDue = this.#now() >= this.#dueAtMs(facts) || (await this.#lacksNames(facts));
      if (!isDue) return { do: "notDue", renewAtMs: dueAtMs(facts) };
      if (this.#now() < history.notBeforeMs) {
        const message = history.lastFailure?.message ?? "the last order was interrupted";
        return { do: "waiting", untilMs: history.notBeforeMs, message };
      }
    }
    try {
      // Counted as failed until it is done: a relay that dies in the middle must not come back at once.
      if (!staging) await this.#memory.remember(this.#afterFailure(history, { why: "unreachable" }));
      return await this.#obtain(options, history);
    } catch (error) {
      return this.#failed(error, staging, history);
    }
  }

  async #obtain(
    { newKey = false, staging = false }: RenewOptions,
    history: OrderHistory,
  ): Promise<RenewResult> {
    const { tls, clock, log } = this.#parts;
    const config = this.#config;
    const { required, optional } = await this.#names(tls.facts());
    this.#optional = optional;
    const skipped = leftOut(history, this.#now());
    const names = [...required, ...optional.filter((name) => !skipped.includes(name))];
    const key = newKey && !staging ? await makeKey() : await this.#files.key();
    if (newKey && !staging) await this.#files.stageKey(key);
    const chain = await this.#order(directoryOf(config, staging), names, key);
    if (!isPair(key, chain)) throw new AcmeError("the authority certified another key", { why: "refused" });
    if (staging) return { do: "rehearsed", names };
    await this.#files.install(chain);
    const result = await tls.reload();
    if (result.do === "kept") throw new AcmeError(result.why, { why: "refused" });
    await this.#memory.remember({
      failures: 0,
      notBeforeMs: 0,
      lastSuccessMs: clock.nowMs(),
      lastFailure: undefined,
    });
    const hours = Math.floor((result.facts.notAfterMs - this.#now()) / HOUR_MS);
    log.emit({ kind: "certificateObtained", hours });
    return { do: "renewed", facts: result.facts };
  }

  async #order(directoryUrl: string, names: readonly string[], key: string): Promise<string> {
    const { clock } = this.#parts;
    const { acme } = this.#config;
    const account = await this.#memory.account(directoryUrl);
    const ca = acme.ca_file === undefined ? undefined : await readFile(acme.ca_file, "utf8");
    const transport = createTransport({
      ca,
      userAgent: `madmail/${version}`,
      nowMs: () => clock.nowMs(),
      onDate: (theirsMs, oursMs) => this.#compareClocks(theirsMs, oursMs),
      stop: this.#stop.signal,
    });
    return obtainCertificate({
      directoryUrl,
      account,
      saveAccount: (known) => this.#memory.saveAccount(directoryUrl, known),
      email: acme.email,
      externalAccount: await externalAccount(acme),
      names,
      key,
      profile: acme.profile,
      challenge: acme.challenge,
      place: acme.challenge === "http-01" ? this.#httpProofs : await this.#dnsProofs(),
      transport,
      clock,
      stop: this.#stop.signal,
    });
  }

  async #dnsProofs(): Promise<ProofPlace> {
    const { dnsProofs, clock, log } = this.#parts;
    return dnsProofs ?? openDnsProofs(this.#config, clock, log);
  }

  async #failed(error: unknown, staging: boolean, before: OrderHistory): Promise<RenewResult> {
    const known = error instanceof AcmeError ? error : undefined;
    const message = error instanceof Error ? error.message : String(error);
    const facts = known?.facts ?? { why: "storageFailed" as const };
    // A stop is no failure either: the next start asks again.
    if (this.#stop.signal.aborted && !staging) await this.#memory.remember(before);
    if (staging || this.#stop.signal.aborted) {
      return { do: "failed", why: facts.why, message, nextTryMs: before.notBeforeMs };
    }
    const changes = {
      ...this.#afterFailure(before, known?.facts ?? { why: "refused" }),
      lastFailure: { atMs: this.#now(), why: facts.why, message },
    };
    const name = known?.facts.why === "challengeFailed" ? known.facts.name : undefined;
    if (name !== undefined && this.#optional.includes(name)) {
      changes.leftOut = { ...before.leftOut, [name]: this.#now() + LEFT_OUT_MS };
      changes.notBeforeMs = this.#now() + NEXT_TRY_MS;
    }
    try {
      await this.#memory.remember(changes);
    } catch (cause) {
      this.#parts.log.emit({ kind: "storageTrouble", what: `certificates: ${String(cause)}` });
    }
    const nextTryMs = changes.notBeforeMs;
    const retryMinutes = Math.ceil((nextTryMs - this.#now()) / 60_000);
    this.#parts.log.emit({ kind: "certificateFailed", why: facts.why, what: message, retryMinutes });
    return { do: "failed", why: facts.why, message, nextTryMs };
  }

  #afterFailure(before: OrderHistory, facts: Parameters<typeof retryDelayMs>[1]): OrderHistory {
    const failures = before.failures + 1;
    return { ...before, failures, notBeforeMs: this.#now() + retryDelayMs(failures, facts, this.#chance()) };
  }

  /** Whether a name leads here that the certificate does not have. Doubts are no reason to order. */
  async #lacksNames(facts: CertificateFacts): Promise<boolean> {
    try {
      const { required, optional } = await this.#names(facts);
      const skipped = leftOut(await this.#memory.history(), this.#now());
      const wanted = [...required, ...optional.filter((name) => !skipped.includes(name))];
      return wanted.some((name) => !facts.names.includes(name));
    } catch (error) {
      if (!(error instanceof AcmeError)) throw error;
      return false;
    }
  }

  /** One made here, or left from a rehearsal that is over, has been due all along. */
  #dueAtMs(facts: CertificateFacts): number {
    const isStopgap = facts.selfSigned || (!facts.trusted && !this.#config.acme.staging);
    return isStopgap ? 0 : dueAtMs(facts);
  }

  #names(facts: CertificateFacts) {
    const covered = facts.selfSigned ? [] : facts.names;
    return wantedNames({ config: this.#config, resolver: this.#parts.resolver, covered });
  }

  #look(): void {
    if (this.#looking !== undefined || this.#stop.signal.aborted) return;
    this.#cancel();
    this.#looking = this.#round()
      .catch((error: unknown) =>
        this.#parts.log.emit({ kind: "internalFault", where: "certificates", error }),
      )
      .then(async () => {
        const waitMs = await this.#waitMs();
        this.#looking = undefined;
        if (!this.#stop.signal.aborted) this.#cancel = this.#parts.clock.after(waitMs, () => this.#look());
      });
  }

  async #round(): Promise<void> {
    const { tls, log } = this.#parts;
    const { mode } = this.#config.tls;
    if (mode === "acme") {
      await this.renew();
    } else if (mode === "file") {
      // Other programs renew these files; not all of them tell.
      const result = await tls.reload();
      if (result.do === "kept") log.emit({ kind: "notice", text: `certificate not replaced: ${result.why}` });
    }
    this.#alarm(tls.facts());
  }

  #alarm(facts: CertificateFacts): void {
    const nowMs = this.#now();
    if (facts.selfSigned || nowMs < alarmAtMs(facts) || nowMs < this.#alarmedAtMs + ALARM_EVERY_MS) return;
    this.#alarmedAtMs = nowMs;
    const hoursLeft = Math.floor((facts.notAfterMs - nowMs) / HOUR_MS);
    this.#parts.log.emit({ kind: "certificateExpiring", hoursLeft });
  }

  async #waitMs(): Promise<number> {
    if (this.#config.tls.mode !== "acme") return LOOK_MS;
    const facts = this.#parts.tls.facts();
    const dueMs = this.#dueAtMs(facts);
    const { notBeforeMs } = await this.#memory
      .history()
      .catch(() => ({ notBeforeMs: this.#now() + LOOK_MS }));
    return Math.max(LOOK_MIN_MS, Math.min(LOOK_MS, Math.max(dueMs, notBeforeMs) - this.#now()));
  }

  #compareClocks(theirsMs: number, oursMs: number): void {
    const aheadMs = oursMs - theirsMs;
    const isNews =
      this.#clockAheadMs === undefined || Math.abs(this.#clockAheadMs - aheadMs) > SKEW_TOLERATED_MS;
    this.#clockAheadMs = aheadMs;
    if (Math.abs(aheadMs) <= SKEW_TOLERATED_MS || !isNews) return;
    const minutes = Math.round(Math.abs(aheadMs) / 60_000);
    const text = `this machine's clock is ${minutes} minutes ${aheadMs > 0 ? "ahead of" : "behind"} the certificate authority's`;
    this.#parts.log.emit({ kind: "notice", text });
  }

  #now(): number {
    return this.#parts.clock.nowMs();
  }

  #chance(): number {
    return (this.#parts.random ?? Math.random)();
  }
}

async function externalAccount({ eab_key_id: id, eab_hmac_key_file: file }: Config["acme"]) {
  if (id === undefined || file === undefined) return undefined;
  return { id, hmacKey: (await readSecret(file)).trim() };
}
