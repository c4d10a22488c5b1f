/**
 * The compiled relay as a child process in a directory of its own: started on free ports, stopped, killed and
 * started again on the same ports, with every byte it printed kept for the privacy check.
 * The binary is `dist/madmail`, or what MADMAIL_BIN names.
 */
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { ReadableSubprocess } from "bun";

const READY_TIMEOUT_MS = 15_000;
/** The product's promise is 10 s. */
const STOP_TIMEOUT_MS = 15_000;
const RELOADED = "configuration read again";
const root = resolve(import.meta.dir, "../..");

export const listenerNames = ["smtp", "submission", "submissions", "imap", "imaps", "http", "https"] as const;
export type ListenerName = (typeof listenerNames)[number];

type TomlValue = string | number | boolean | readonly (string | number)[];
type TomlTable = Record<string, TomlValue>;

export interface RelayOptions {
  /** Names the captured output in `test-artifacts/`. */
  name: string;
  /** `relay.test` or an address literal such as `[127.0.0.1]`. */
  domain?: string;
  /** Where it listens; default 127.0.0.1. */
  address?: string;
  /** Ports to listen on; free ones where none is given. */
  ports?: Partial<Record<ListenerName, number>>;
  /** Tables merged over the test defaults, by table name. */
  config?: Record<string, TomlTable>;
  /** An existing directory to use; it is then left in place at the end. */
  dir?: string;
  env?: Record<string, string>;
  /** Runs this instead of the binary: a program that takes the same arguments. */
  command?: readonly string[];
}

export interface StopResult {
  code: number | null;
  ms: number;
}

/** Relays that must not outlive this process. */
const running = new Set<Relay>();
process.on("exit", () => {
  for (const relay of running) relay.killNow();
});

export class Relay {
  readonly dir: string;
  readonly domain: string;
  ports: Record<ListenerName, number>;
  /** UDP and TCP; 0 where TURN is off. */
  turnPort = 0;
  turnsPort = 0;
  /** 0 where Shadowsocks is off. */
  shadowsocksPort = 0;
  /** Milliseconds from spawn to `ready` of the last start. */
  startMs = 0;
  readonly #options: RelayOptions;
  readonly #names = new Set<string>();
  /** Ports as the configuration of this run names them: another port there would move the listener at a reload. */
  #wanted: Record<ListenerName | "turn" | "shadowsocks", number>;
  #process: ReadableSubprocess | undefined;
  #output = "";
  #readers: Promise<void>[] = [];
  #waiters: (() => void)[] = [];

  private constructor(options: RelayOptions) {
    this.#options = options;
    this.domain = options.domain ?? "relay.test";
    this.dir = options.dir ?? mkdtempSync(join(tmpdir(), "madmail-test-"));
    this.ports = Object.fromEntries(
      listenerNames.map((name) => [name, options.ports?.[name] ?? 0]),
    ) as Record<ListenerName, number>;
    this.#wanted = { ...this.ports, turn: 0, shadowsocks: 0 };
  }

  static async start(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options);
    try {
      await relay.restart();
    } catch (error) {
      await relay.dispose();
      throw error;
    }
    return relay;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** What it listens on and clients connect to. */
  get host(): string {
    return this.#options.address ?? "127.0.0.1";
  }

  get stateDir(): string {
    return join(this.dir, "state");
  }

  /** Everything printed since the first start, both streams. */
  get output(): string {
    return this.#output;
  }

  /** Sends a signal and waits until the relay has printed `text` after it. */
  async signalUntil(signal: NodeJS.Signals, text: string): Promise<void> {
    const from = this.#output.length;
    this.signal(signal);
    await this.until((output) => output.includes(text, from));
  }

  /** Changes the configuration, by table name; the next start reads it. */
  configure(config: Record<string, TomlTable>): void {
    this.#options.config = { ...this.#options.config, ...config };
    writeFileSync(join(this.dir, "madmail.toml"), this.#toml());
  }

  /** Changes the configuration, by table name, and lets the running relay read it. */
  async reload(config: Record<string, TomlTable>): Promise<void> {
    this.configure(config);
    await this.signalUntil("SIGHUP", RELOADED);
  }

  /** Starts on the ports of the last start (free ones the first time). @throws {Error} with all output */
  async restart(): Promise<void> {
    const file = join(this.dir, "madmail.toml");
    this.#wanted = { ...this.ports, turn: this.turnPort, shadowsocks: this.shadowsocksPort };
    writeFileSync(file, this.#toml());
    const startedAt = performance.now();
    const command = this.#options.command ?? [binaryPath()];
    const child = Bun.spawn([...command, "run", "--config", file, "--state-dir", this.stateDir, "--json"], {
      cwd: this.dir,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, UV_THREADPOOL_SIZE: "16", ...this.#options.env },
    });
    this.#process = child;
    running.add(this);
    const ready = Promise.withResolvers<string>();
    const timer = setTimeout(() => ready.reject(new Error("not ready in time")), READY_TIMEOUT_MS);
    this.#readers = [this.#collect(child.stdout, ready.resolve), this.#collect(child.stderr)];
    void Promise.all([child.exited, ...this.#readers]).then(([code]) =>
      ready.reject(new Error(`the relay exited with ${code} before it was ready`)),
    );
    try {
      const line = await ready.promise;
      this.ports = parsePorts(line);
      this.turnPort = portIn(line, "turn");
      this.turnsPort = portIn(line, "turns");
      this.shadowsocksPort = portIn(line, "shadowsocks");
    } catch (error) {
      child.kill("SIGKILL");
      const what = error instanceof Error ? error.message : String(error);
      throw new Error(`${what}\n${this.#output}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
    this.startMs = performance.now() - startedAt;
  }

  /** Sends the signal and waits for the end. */
  async stop(signal: "SIGTERM" | "SIGINT" = "SIGTERM"): Promise<StopResult> {
    const child = this.#process;
    if (child === undefined) return { code: null, ms: 0 };
    const startedAt = performance.now();
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await Promise.all([child.exited, ...this.#readers]);
    clearTimeout(timer);
    this.#forget();
    return { code: child.signalCode === null ? child.exitCode : null, ms: performance.now() - startedAt };
  }

  /** kill -9, and waits until the kernel is done with it. */
  async kill(): Promise<void> {
    const child = this.#process;
    child?.kill("SIGKILL");
    await Promise.all([child?.exited, ...this.#readers]);
    this.#forget();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** For the exit handler, which cannot wait. */
  killNow(): void {
    this.#process?.kill("SIGKILL");
  }

  get isRunning(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null;
  }

  /** A new address of this relay, remembered for `leaks`. */
  address(localpart: string): string {
    this.#names.add(localpart.toLowerCase());
    return `${localpart}@${this.domain}`;
  }

  /** Waits until `enough` holds of all output; it is asked after each piece. @throws {Error} with the output */
  async until(enough: (output: string) => boolean, timeoutMs = READY_TIMEOUT_MS): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!enough(this.#output)) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new Error(`${timeoutMs} ms without what was awaited:\n${this.#output}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, leftMs);
      this.#waiters.push(resolve);
      await promise;
      clearTimeout(timer);
    }
  }

  /** Lines of the output that name a user or contain `others`: must be empty, at any log level. */
  leaks(others: readonly string[] = []): string[] {
    const names = [...this.#names, ...others.map((name) => name.toLowerCase())];
    return this.#output.split("\n").filter((line) => names.some((name) => line.toLowerCase().includes(name)));
  }

  /** Ends the relay, keeps its output in `test-artifacts/`, removes its directory. */
  async dispose(): Promise<void> {
    if (this.isRunning) await this.kill();
    this.#forget();
    const artifacts = join(root, "test-artifacts");
    mkdirSync(artifacts, { recursive: true });
    writeFileSync(join(artifacts, `relay-${this.#options.name}.log`), this.#output);
    if (this.#options.dir === undefined) rmSync(this.dir, { recursive: true, force: true });
  }

  #forget(): void {
    this.#process = undefined;
    running.delete(this);
  }

  async #collect(stream: ReadableStream<Uint8Array>, onReady?: (line: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    let partial = "";
    for await (const chunk of stream) {
      const text = decoder.decode(chunk, { stream: true });
      this.#output += text;
      for (const wake of this.#waiters.splice(0)) wake();
      if (onReady === undefined) continue;
      partial += text;
      const lines = partial.split("\n");
      partial = lines.pop() ?? "";
      for (const line of lines) if (line.includes('"ready":true')) onReady(line);
    }
  }

  #toml(): string {
    const listen = Object.fromEntries(listenerNames.map((n) => [n, [`${this.host}:${this.#wanted[n]}`]]));
    const tables: Record<string, TomlTable> = {
      listen,
      tls: { mode: "self-signed" },
      storage: { fsync: "always" },
      // Ports of the listener come from the upper range; what is relayed stays below it.
      turn: { listen: [`127.0.0.1:${this.#wanted.turn}`], relay_port_min: 20_000, relay_port_max: 29_999 },
      shadowsocks: { listen: [`127.0.0.1:${this.#wanted.shadowsocks}`] },
      limits: { send_per_minute: 0, connections_per_address: 20_000, connections: 20_000 },
      log: { level: "debug" },
    };
    for (const [name, table] of Object.entries(this.#options.config ?? {})) {
      tables[name] = { ...tables[name], ...table };
    }
    const top = toml({ hostname: this.domain, domains: [this.domain] });
    return [top, ...Object.entries(tables).map(([name, table]) => `[${name}]\n${toml(table)}`)].join("\n");
  }
}

/** @throws {Error} when there is nothing to test */
function binaryPath(): string {
  const path = resolve(root, process.env["MADMAIL_BIN"] ?? "dist/madmail");
  if (!existsSync(path)) throw new Error(`${path} is missing: build it first (bun run build)`);
  return path;
}

/** For test/commands-seen.ts: which commands the suites ran. */
function noteCommand(args: readonly string[]): void {
  const artifacts = join(root, "test-artifacts");
  if (existsSync(artifacts)) appendFileSync(join(artifacts, "commands.log"), `${JSON.stringify(args)}\n`);
}

/** Starts `madmail` with arguments; whoever starts it ends it. */
export function startMadmail(args: readonly string[]) {
  noteCommand(args);
  return Bun.spawn([binaryPath(), ...args], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
}

/** Runs `madmail` with arguments to its end. */
export async function runMadmail(
  args: readonly string[],
): Promise<{ code: number; output: string; ms: number }> {
  const startedAt = performance.now();
  noteCommand(args);
  const child = Bun.spawn([binaryPath(), ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, output: out + err, ms: performance.now() - startedAt };
}

function toml(table: TomlTable): string {
  return Object.entries(table)
    .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
    .join("");
}

function parsePorts(line: string): Record<ListenerName, number> {
  return Object.fromEntries(listenerNames.map((n) => [n, portIn(line, n)])) as Record<ListenerName, number>;
}

function portIn(line: string, name: string): number {
  const { listeners } = JSON.parse(line) as { listeners: Partial<Record<string, string[]>> };
  const address = listeners[name]?.[0] ?? "";
  return Number(address.slice(address.lastIndexOf(":") + 1));
}
