/** `madmail run`: the relay in the foreground, until a signal ends it. */
import { setTimeout as delay } from "node:timers/promises";
import { type CommandDef, defineCommand } from "citty";
import { renderUnicodeCompact } from "uqr";
import type { RelayAddresses } from "../app/front.ts";
import { Relay } from "../app/relay.ts";
import { StartError } from "../app/relay-facts.ts";
import { ServiceManager } from "../app/service-manager.ts";
import { type Config, ConfigError } from "../config/config.ts";
import { ensureLocalConfig } from "../config/local.ts";
import { locateConfig } from "../config/locate.ts";
import { programName } from "../config/program.ts";
import { readConfig } from "../config/read.ts";
import { systemClock } from "../core/clock.ts";
import { DatabaseError } from "../db/open.ts";
import type { Log } from "../log/events.ts";
import { LogDestination } from "../log/destination.ts";
import { createLog, type EventLevel } from "../log/log.ts";
import { ListenError } from "../net/listener.ts";
import { SecretError } from "../shadowsocks/secret.ts";
import { StorageError } from "../storage/store.ts";
import { TlsMaterialError } from "../tls/material.ts";
import { openUdp } from "../turn/sockets.ts";
import type { Globals } from "./globals.ts";
import { CommandError } from "./output.ts";

/** Bun takes the size of its file pool from the environment of the start only; two threads let one slow disk stop all. */
const POOL_THREADS = "16";
/** Of the ten seconds that a stop may take, what is left for the database. */
const STOP_DEADLINE_MS = 9000;
/** In which the answer to who asked for a restart gets out. */
const ANSWER_MS = 200;

export function runCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: { name: "run", description: "Run the relay in the foreground" },
    async run() {
      // Whatever is made below is for this user alone.
      process.umask(0o077);
      widenPool();
      await run(globals);
    },
  });
}

async function run(globals: Globals): Promise<void> {
  const { path, notices } = await configPath(globals);
  const config = readConfig(path, { stateDir: globals.stateDir });
  const { log, relog } = openLog(config);
  const reread = () => readConfig(path, { stateDir: globals.stateDir });
  const manager = new ServiceManager(process.env, systemClock);
  const restart = () => void systemClock.after(ANSWER_MS, () => void startAnew(relay, manager, log));
  const relay = new Relay({ config, reread, log, relog, restart, clock: systemClock });
  const bound = await started(relay);
  manager.ready();
  if (globals.json) {
    process.stdout.write(`${JSON.stringify({ ready: true, listeners: bound })}\n`);
  } else {
    for (const notice of notices) process.stdout.write(`${notice}\n`);
    // An account that nobody asked for has no business in a journal.
    process.stdout.write(manager.isThere ? "ready\n" : welcome(relay, bound));
  }
  await untilSignal(relay, log, manager);
}

/** @throws {CommandError} when its file can't be opened */
function openLog(config: Config): { log: Log; relog: (config: Config) => string | undefined } {
  let destination: LogDestination;
  try {
    destination = new LogDestination(config.log);
  } catch (error) {
    throw new CommandError(`log: cannot write ${config.log.file ?? "standard error"} (${codeOf(error)})`, {
      cause: error,
    });
  }
  const sink = (line: string, level: EventLevel) => destination.write(line, level);
  const log = createLog(config.log.level, sink, config.log.format);
  const relog = (next: Config) => {
    log.adjust({ level: next.log.level, format: next.log.format, sink });
    try {
      destination.open(next.log);
      return undefined;
    } catch (error) {
      return `log: cannot write ${next.log.file ?? "standard error"} (${codeOf(error)}): it goes where it went before`;
    }
  };
  return { log, relog };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}

async function configPath(globals: Globals): Promise<{ path: string; notices: string[] }> {
  const path = globals.config ?? locateConfig();
  return path === undefined ? ensureLocalConfig(canBind, canBindUdp) : { path, notices: [] };
}

async function started(relay: Relay): Promise<RelayAddresses> {
  try {
    return await relay.start();
  } catch (error) {
    const known = [StartError, DatabaseError, TlsMaterialError, ListenError, StorageError, SecretError];
    if (known.some((kind) => error instanceof kind))
      throw new CommandError((error as Error).message, { cause: error });
    throw error;
  }
}

/** The same process number, the same program file (or the one that has taken its place), everything else new. */
async function startAnew(relay: Relay, manager: ServiceManager, log: Log): Promise<void> {
  manager.reloading();
  await Promise.race([relay.stop(), delay(STOP_DEADLINE_MS, undefined, { ref: false })]);
  try {
    replaceProcess(process.env);
  } catch (error) {
    log.emit({ kind: "internalFault", where: "restart", error });
  }
  // Whoever watches over this process starts it again.
  process.exit(1);
}

/** Waits for the end: TERM and INT stop, HUP reads the configuration again. */
function untilSignal(relay: Relay, log: Log, manager: ServiceManager): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const say = (text: string) => process.stderr.write(`${programName}: ${text}\n`);
  const stop = async () => {
    manager.stopping();
    await Promise.race([relay.stop(), delay(STOP_DEADLINE_MS, undefined, { ref: false })]);
    resolve();
    // A connection that does not end, or a pool thread stuck on a disk, must not keep the process.
    process.exit(0);
  };
  const reload = async () => {
    manager.reloading();
    try {
      for (const notice of await relay.reload()) say(notice);
      say("configuration read again");
    } catch (error) {
      if (!(error instanceof ConfigError)) log.emit({ kind: "internalFault", where: "reload", error });
      say(`configuration kept: ${error instanceof ConfigError ? error.message : "internal fault"}`);
    } finally {
      manager.ready();
    }
  };
  const guarded = (work: () => Promise<void>) => () => {
    work().catch((error: unknown) => log.emit({ kind: "internalFault", where: "signal", error }));
  };
  process.on("SIGTERM", guarded(stop));
  process.on("SIGINT", guarded(stop));
  process.on("SIGHUP", guarded(reload));
  process.on("uncaughtException", (error) => log.emit({ kind: "internalFault", where: "process", error }));
  process.on("unhandledRejection", (error) => log.emit({ kind: "internalFault", where: "process", error }));
  return promise;
}

/** `ready`, what listens where, and an account link that works at once. */
function welcome(relay: Relay, bound: RelayAddresses): string {
  const places = Object.entries(bound)
    .filter(([, addresses]) => addresses.length > 0)
    .map(([name, addresses]) => `  ${name.padEnd(12)}${addresses.join(", ")}`);
  return `ready\n${places.join("\n")}\n${accountLink(relay)}${panelLink(relay)}`;
}

function accountLink(relay: Relay): string {
  const account = relay.inventAccount();
  if (account === undefined) return "";
  const link = relay.accountLink(account);
  const qr = renderUnicodeCompact(link, { border: 2 });
  return `\nA new account, ready to use. Scan this with Delta Chat, or open the link:\n\n${qr}\n\n  ${link}\n\n`;
}

function panelLink(relay: Relay): string {
  const link = relay.loginLink();
  if (link === undefined) return "";
  return `The admin panel; this link logs you in once, within a quarter of an hour:\n\n  ${link}\n\n`;
}

async function canBind(port: number): Promise<boolean> {
  try {
    Bun.listen({ hostname: "0.0.0.0", port, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}

async function canBindUdp(port: number): Promise<boolean> {
  try {
    (await openUdp("0.0.0.0", port, { data() {}, trouble() {} })).close();
    return true;
  } catch {
    return false;
  }
}

/** Replaces this process by itself, once, with a wider pool (same process number). */
function widenPool(): void {
  if (process.env["UV_THREADPOOL_SIZE"] !== undefined || process.platform === "win32") return;
  replaceProcess({ ...process.env, UV_THREADPOOL_SIZE: POOL_THREADS });
}

/** @throws {Error} of the system; without it this call is the last thing that the process does */
function replaceProcess(env: Record<string, string | undefined>): void {
  const args = process.argv.slice(Bun.isStandaloneExecutable ? 2 : 1);
  process.execve?.(process.execPath, [process.execPath, ...args], env);
}
