/**
 * The real Delta Chat core over JSON-RPC, one process for several profiles. Every event is kept in a journal per
 * profile: waiting takes the first matching event that nobody took yet, so nothing falls between an action and
 * the wait for its effect.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type DcEvent, type RawClient, StdioDeltaChat, type T } from "@deltachat/jsonrpc-client";
import { getRPCServerPath } from "@deltachat/stdio-rpc-server";
import { spawn } from "node:child_process";
import type { Relay } from "./relay.ts";

/** Generous: the machine may be busy, and the core itself waits seconds before it connects again. */
const EVENT_TIMEOUT_MS = 90_000;
const root = resolve(import.meta.dir, "../..");

type Kind = DcEvent["kind"];
type EventOf<K extends Kind> = Extract<DcEvent, { kind: K }>;

export interface LoginOptions {
  relay: Relay;
  localpart: string;
  password?: string;
  /** What the user types, when not the plain address. */
  typed?: string;
  /** Which listeners the client uses. */
  via?: "tls" | "starttls" | "443";
  /** An `ss://` link to go through; the servers are then named by a host that does not exist. */
  proxy?: string;
}

export class Core {
  readonly rpc: RawClient;
  readonly #dir: string;
  readonly #name: string;
  readonly #profiles = new Map<number, Profile>();
  readonly #process: ReturnType<typeof spawn>;
  #log = "";
  #closing = false;
  #excused = false;
  /** Profiles that never logged in: that failed as it should, and its events may come after the answer. */
  readonly #refused = new Set<number>();

  private constructor(name: string, launcher: readonly string[]) {
    this.#name = name;
    this.#dir = mkdtempSync(join(tmpdir(), "madmail-core-"));
    const [program, ...args] = [...launcher, getRPCServerPath()];
    const child = spawn(program, args, {
      env: { RUST_LOG: "off", DC_ACCOUNTS_PATH: join(this.#dir, "accounts"), HOME: this.#dir },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#process = child;
    // Chunks may cut a character in two.
    child.stdout.setEncoding("utf8");
    child.stderr.on("data", (bytes: Buffer) => (this.#log += bytes.toString()));
    child.stdin.on("error", () => {});
    this.rpc = new StdioDeltaChat(child.stdin, child.stdout, false).rpc;
    process.on("exit", () => child.kill("SIGKILL"));
    void this.#readEvents();
  }

  /** @param launcher a command that runs the core, named by its last arguments */
  static async start(name: string, launcher: readonly string[] = []): Promise<Core> {
    const core = new Core(name, launcher);
    await core.rpc.getSystemInfo();
    return core;
  }

  /** Makes a profile and logs it in as a scanned `dclogin:` link does. @throws {Error} with the core's text */
  async login(options: LoginOptions): Promise<Profile> {
    const id = await this.rpc.addAccount();
    const address = options.relay.address(options.localpart);
    const profile = new Profile(
      this,
      id,
      address.toLowerCase(),
      options.password ?? `${options.localpart}-Pass word+1`,
    );
    await this.rpc.setConfig(id, "displayname", `name of ${options.localpart}`);
    if (options.proxy !== undefined) {
      await this.rpc.setConfig(id, "proxy_url", options.proxy);
      await this.rpc.setConfig(id, "proxy_enabled", "1");
    }
    return this.#begin(profile, dcloginLink(profile, options));
  }

  /** Makes a profile of a link or code that somebody was given: `dclogin:` with everything in it. */
  async scan(relay: Relay, link: string): Promise<Profile> {
    const [, localpart, password] = /^dclogin:([^@]+)@[^?]+[?]p=([^&]+)/.exec(link) ?? [];
    if (localpart === undefined || password === undefined) throw new Error("no dclogin: link");
    const id = await this.rpc.addAccount();
    const address = relay.address(decodeURIComponent(localpart));
    return this.#begin(new Profile(this, id, address, decodeURIComponent(password)), link);
  }

  async #begin(profile: Profile, link: string): Promise<Profile> {
    const { id } = profile;
    this.#profiles.set(id, profile);
    try {
      await this.rpc.addTransportFromQr(id, link);
    } catch (error) {
      this.#refused.add(id);
      throw error;
    }
    await this.rpc.startIo(id);
    // Mail that comes before a new profile's first look at its INBOX counts as old, and is never shown.
    await profile.take("ImapInboxIdle");
    return profile;
  }

  /** Warnings and errors of all profiles that came while nobody excused them. */
  readonly complaints: string[] = [];

  /** Runs a scene in which the relay is taken away, or a mistake is made: complaints are right then. */
  async excused<R>(scene: () => Promise<R>): Promise<R> {
    this.#excused = true;
    try {
      return await scene();
    } finally {
      this.#excused = false;
    }
  }

  /** All that was recorded, the core's own notes included. */
  get journal(): string {
    return this.#log;
  }

  record(line: string): void {
    this.#log += `${new Date().toISOString()} ${line}\n`;
  }

  async close(): Promise<void> {
    this.#closing = true;
    const ended = new Promise((done) => this.#process.once("exit", done));
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 5_000);
    await ended;
    clearTimeout(timer);
    const artifacts = join(root, "test-artifacts");
    mkdirSync(artifacts, { recursive: true });
    writeFileSync(join(artifacts, `core-${this.#name}.log`), this.#log);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** Ends with the process: the last call is then never answered. */
  async #readEvents(): Promise<void> {
    while (!this.#closing) {
      for (const { contextId, event } of await this.rpc.getNextEventBatch()) {
        this.record(`#${contextId} ${JSON.stringify(event)}`);
        if (
          !this.#excused &&
          (event.kind === "Warning" || event.kind === "Error") &&
          !isHarmless(event.msg)
        ) {
          this.complaints.push(`${contextId}: ${event.msg}`);
        }
        this.#profiles.get(contextId)?.note(event);
      }
    }
  }
}

export class Profile {
  readonly core: Core;
  readonly id: number;
  readonly address: string;
  readonly password: string;
  readonly complaints: string[] = [];
  #events: DcEvent[] = [];
  #listeners = new Set<() => void>();

  constructor(core: Core, id: number, address: string, password: string) {
    this.core = core;
    this.id = id;
    this.address = address;
    this.password = password;
  }

  get rpc(): RawClient {
    return this.core.rpc;
  }

  note(event: DcEvent): void {
    if (event.kind === "Warning" || event.kind === "Error") this.complaints.push(event.msg);
    if (event.kind !== "Info") this.#events.push(event);
    for (const listener of this.#listeners) listener();
  }

  /** Forgets events that were not taken. */
  forget(kind: Kind): void {
    this.#events = this.#events.filter((event) => event.kind !== kind);
  }

  /** Takes the next event of the kind that passes `filter`. */
  async take<K extends Kind>(
    kind: K,
    filter: (event: EventOf<K>) => boolean = () => true,
    timeoutMs = EVENT_TIMEOUT_MS,
  ): Promise<EventOf<K>> {
    const find = () =>
      this.#events.find((event): event is EventOf<K> => event.kind === kind && filter(event as EventOf<K>));
    const found = await this.#until(async () => find(), `event ${kind}`, timeoutMs);
    this.#events = this.#events.filter((event) => event !== found);
    return found;
  }

  /** Asks again after each event of this profile until the answer is not undefined. */
  eventually<R>(ask: () => Promise<R | undefined>, what: string, timeoutMs = EVENT_TIMEOUT_MS): Promise<R> {
    return this.#until(ask, what, timeoutMs);
  }

  /** The next incoming message, taken in order of arrival. */
  async receive(timeoutMs?: number): Promise<T.Message> {
    const { msgId } = await this.take("IncomingMsg", () => true, timeoutMs);
    return this.rpc.getMessage(this.id, msgId);
  }

  /** Sends text and waits until the relay took it. @returns the message's id */
  async say(chatId: number, text: string): Promise<number> {
    const id = await this.rpc.miscSendTextMessage(this.id, chatId, text);
    await this.take("MsgDelivered", (event) => event.msgId === id);
    return id;
  }

  async message(id: number): Promise<T.Message> {
    return this.rpc.getMessage(this.id, id);
  }

  /** Texts of a chat's messages in their order, without the core's own notes. */
  async texts(chatId: number): Promise<string[]> {
    const ids = await this.rpc.getMessageIds(this.id, chatId, false, false);
    const messages = await Promise.all(ids.map((id) => this.message(id)));
    return messages.filter((m) => !m.isInfo).map((m) => m.text);
  }

  /** The 1:1 chat with another profile whose contact is known (after SecureJoin). */
  async chatWith(other: Profile): Promise<number> {
    return this.rpc.createChatByContactId(this.id, await this.contactOf(other));
  }

  /** The contact with the key of the other profile. */
  async contactOf(other: Profile): Promise<number> {
    const ids = await this.rpc.getContactIds(this.id, 0, null);
    const contacts = await this.rpc.getContactsByIds(this.id, ids);
    const found = Object.values(contacts).find((c) => c.address === other.address && c.isKeyContact);
    if (found === undefined) throw new Error("no such key contact");
    return found.id;
  }

  async #until<R>(ask: () => Promise<R | undefined>, what: string, timeoutMs: number): Promise<R> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      let wake = () => {};
      const changed = new Promise<void>((done) => (wake = done));
      this.#listeners.add(wake);
      try {
        const found = await ask();
        if (found !== undefined) return found;
        const left = deadline - performance.now();
        if (left <= 0) throw new Error(`${timeoutMs} ms without ${what}; last complaints: ${this.#recent()}`);
        const timer = setTimeout(wake, left);
        await changed;
        clearTimeout(timer);
      } finally {
        this.#listeners.delete(wake);
      }
    }
  }

  #recent(): string {
    return JSON.stringify(this.complaints.slice(-3));
  }
}

/** One shows a code, the other scans it; both have the other's key then. */
export async function secureJoin(inviter: Profile, joiner: Profile): Promise<void> {
  const code = await inviter.rpc.getChatSecurejoinQrCode(inviter.id, null);
  await joiner.rpc.secureJoin(joiner.id, code);
  await Promise.all([
    inviter.take("SecurejoinInviterProgress", (event) => event.progress === 1000),
    joiner.take("SecurejoinJoinerProgress", (event) => event.progress === 1000),
  ]);
  for (const [one, other] of [
    [inviter, joiner],
    [joiner, inviter],
  ] as const) {
    const contact = await one.rpc.getContact(one.id, await one.contactOf(other));
    if (!contact.e2eeAvail) throw new Error("no encryption after SecureJoin");
  }
}

/** Warnings of the core that do not concern the relay, each with its reason. */
const harmless: readonly [pattern: RegExp, reason: string][] = [
  [/TURN|ICE server|stun:/i, "no TURN server is announced, and the fallback's name does not resolve offline"],
];

function isHarmless(text: string): boolean {
  return harmless.some(([pattern]) => pattern.test(text));
}

/** The link as the core reads it: `ic=3` accepts the self-signed certificate. */
function dcloginLink(profile: Profile, { relay, typed, via = "tls", proxy }: LoginOptions): string {
  const host = proxy === undefined ? relay.host : "mail.invalid";
  const imap = { tls: relay.ports.imaps, starttls: relay.ports.imap, "443": relay.ports.https }[via];
  const smtp = { tls: relay.ports.submissions, starttls: relay.ports.submission, "443": relay.ports.https }[
    via
  ];
  const security = via === "starttls" ? "starttls" : "ssl";
  const query = new URLSearchParams({
    p: profile.password,
    v: "1",
    ih: host,
    ip: String(imap),
    is: security,
    sh: host,
    sp: String(smtp),
    ss: security,
    ic: "3",
  });
  // The core decodes percent signs only: a plus would stay a plus.
  return `dclogin:${typed ?? profile.address}?${query.toString().replaceAll("+", "%20")}`;
}
