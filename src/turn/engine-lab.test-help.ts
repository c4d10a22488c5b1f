/** An engine without sockets: its bind requests are granted as the test says, all else is recorded. */
import { stunCrypto } from "./crypto.ts";
import type { Action, Front, TurnSettings } from "./engine/actions.ts";
import { TurnEngine } from "./engine/engine.ts";
import { methods } from "./engine/stun.ts";
import {
  allocateRequest,
  type Answer,
  channelBindRequest,
  type Endpoint,
  type Login,
  peer,
  readAnswer,
  request,
  type RequestOptions,
} from "./turn-client.test-help.ts";

export const RELAYED = "198.51.100.1";
const REALM = "relay.test";

export interface TestFront extends Front {
  readonly name: string;
}

/** Bytes copied, because the engine only lends them. */
export type Seen = Action<TestFront>;

export class EngineLab {
  readonly engine: TurnEngine<TestFront>;
  readonly settings: TurnSettings;
  readonly udp: TestFront = { name: "udp", reliable: false };
  nowMs = 1_000_000;
  /** Seconds that are left of everybody's credentials; below 0 they have run out. */
  secondsLeft = 3600;
  /** Says which ports can't be had. */
  portTaken: (port: number) => boolean = () => false;
  /** While true, sockets open only by `grant`. */
  holdBinds = false;
  readonly held: number[] = [];
  /** Numbers of the sockets that are open. */
  readonly open = new Map<number, number>();

  constructor(settings: Partial<TurnSettings> = {}) {
    this.settings = {
      realm: REALM,
      relayAddresses: { 4: RELAYED, 6: "2001:db8:ffff::1" },
      ports: { min: 50_000, max: 50_099 },
      ownAddresses: new Set([RELAYED, "9.9.9.9"]),
      allowPrivatePeers: false,
      allocationsMax: 100,
      allocationsPerUserMax: 50,
      allocationsPerAddressMax: 50,
      allocationBytesPerSecond: 0,
      totalBytesPerSecond: 0,
      ...settings,
    };
    this.engine = new TurnEngine({
      crypto: stunCrypto,
      users: {
        passwordsOf: (username, grace) =>
          username === "nobody" || this.secondsLeft + grace <= 0 ? [] : ["old secret", `pw-${username}`],
      },
      random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
      networkOf: (address) => address,
      settings: this.settings,
      nowMs: this.nowMs,
    });
  }

  client(address = "203.0.113.5", port = 4000, front: TestFront = this.udp): LabClient {
    return new LabClient(this, front, address, port);
  }

  grant(): Seen[] {
    return this.held.splice(0).flatMap((relay) => this.#settle(this.engine.bound(relay, this.nowMs)));
  }

  feed(front: TestFront, address: string, port: number, bytes: Uint8Array): Seen[] {
    return this.#settle(this.engine.fromClient(front, address, port, bytes, this.nowMs));
  }

  /** From a peer to the relay socket at this port. */
  fromPeer(relayPort: number, address: string, port: number, bytes: Uint8Array): Seen[] {
    const [relay] = [...this.open].find(([, open]) => open === relayPort) ?? [0];
    return this.#settle(this.engine.fromPeer(relay, address, port, bytes, this.nowMs));
  }

  pass(ms: number): Seen[] {
    this.nowMs += ms;
    return this.#settle(this.engine.tick(this.nowMs));
  }

  close(front: TestFront): Seen[] {
    return this.#settle(this.engine.frontClosed(front));
  }

  #settle(actions: readonly Action<TestFront>[]): Seen[] {
    const seen: Seen[] = actions.map((action) =>
      "bytes" in action ? { ...action, bytes: Uint8Array.from(action.bytes) } : action,
    );
    return seen.flatMap((action) => {
      if (action.do === "unbind") this.open.delete(action.relay);
      if (action.do !== "bind") return [action];
      if (this.portTaken(action.port)) return [action, ...this.#settle(this.engine.bindFailed(action.relay))];
      this.open.set(action.relay, action.port);
      if (this.holdBinds) {
        this.held.push(action.relay);
        return [action];
      }
      return [action, ...this.#settle(this.engine.bound(action.relay, this.nowMs))];
    });
  }
}

/** One client at the lab's engine. */
export class LabClient {
  readonly lab: EngineLab;
  readonly front: TestFront;
  readonly address: string;
  readonly port: number;
  login: Login = { username: "1700000000", password: "pw-1700000000", realm: REALM };
  nonce: string | undefined;

  constructor(lab: EngineLab, front: TestFront, address: string, port: number) {
    this.lab = lab;
    this.front = front;
    this.address = address;
    this.port = port;
  }

  send(bytes: Uint8Array): Seen[] {
    return this.lab.feed(this.front, this.address, this.port, bytes);
  }

  /** The one answer to these bytes. @throws {Error} when there is none or more */
  ask(bytes: Uint8Array): Answer {
    return onlyAnswer(this.send(bytes));
  }

  get signed(): RequestOptions {
    this.nonce ??= this.ask(allocateRequest()).nonce;
    return { login: this.login, nonce: this.nonce };
  }

  allocate(options: RequestOptions = {}): Answer {
    return this.ask(allocateRequest({ ...this.signed, ...options }));
  }

  refresh(options: RequestOptions = {}): Answer {
    return this.ask(request(methods.refresh, { ...this.signed, ...options }));
  }

  permit(...endpoints: Endpoint[]): Answer {
    const fill = (to: Parameters<ReturnType<typeof peer>>[0]) => {
      for (const endpoint of endpoints) peer(endpoint)(to);
    };
    return this.ask(request(methods.createPermission, { ...this.signed, fill }));
  }

  bind(number: number, to: Endpoint): Answer {
    return this.ask(channelBindRequest(number, to, this.signed));
  }
}

export function onlyAnswer(actions: readonly Seen[]): Answer {
  const [first, ...more] = actions.flatMap((action) => (action.do === "answer" ? [action.bytes] : []));
  if (first === undefined || more.length > 0) {
    throw new Error(`expected one answer, found ${JSON.stringify(actions.map((action) => action.do))}`);
  }
  return readAnswer(first);
}
