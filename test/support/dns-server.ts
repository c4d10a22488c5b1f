/**
 * A name server for tests: a table of zones over UDP and TCP on one loopback port, and the faults that resolvers
 * must survive. Names that are not in the table don't exist.
 */
import * as packet from "dns-packet";

export type ZoneRecord =
  | { type: "A" | "AAAA" | "CNAME" | "TXT"; data: string | readonly string[]; ttl?: number }
  | { type: "MX"; preference: number; exchange: string; ttl?: number };

export type Fault =
  | "silence"
  | "serverFailure"
  | "refused"
  /** Over UDP only: the answer is cut, TCP has it. */
  | "truncated"
  /** A wrong id comes first, then the answer. */
  | "wrongId"
  /** An answer to another question comes first, then the answer. */
  | "wrongQuestion"
  | "garbage"
  /** FORMERR to questions with EDNS. */
  | "noExtensions"
  /** The chain of aliases is left open. */
  | "openChain";

interface EncodableRecord {
  name: string;
  type: string;
  ttl: number;
  data: unknown;
}

const ANSWER_FLAGS = (1 << 8) | (1 << 7);
const TRUNCATED = 1 << 9;
const rcodes = { formatError: 1, serverFailure: 2, noName: 3, refused: 5 };

export class DnsServer {
  /** Questions so far, as `MX example.test`, with `tcp ` in front where it came so. */
  readonly asked: string[] = [];
  readonly zone: Map<string, ZoneRecord[]>;
  readonly faults = new Map<string, Fault>();
  #port = 0;
  #close = (): void => {};
  #onQuestion = new Set<() => void>();

  private constructor(zone: Record<string, ZoneRecord[]>) {
    this.zone = new Map(Object.entries(zone));
  }

  static async start(zone: Record<string, ZoneRecord[]> = {}, host = "127.0.0.1"): Promise<DnsServer> {
    const server = new DnsServer(zone);
    await server.#listen(host);
    return server;
  }

  /** `ADDRESS:PORT` for `[dns] servers`. */
  get endpoint(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Resolves once `count` questions came. */
  async questions(count: number): Promise<void> {
    while (this.asked.length < count) {
      await new Promise<void>((done) => {
        const once = () => {
          this.#onQuestion.delete(once);
          done();
        };
        this.#onQuestion.add(once);
      });
    }
  }

  stop(): void {
    this.#close();
  }

  async #listen(host: string): Promise<void> {
    const tcp = Bun.listen<{ input: Buffer }>({
      hostname: host,
      port: 0,
      socket: {
        open: (socket) => void (socket.data = { input: Buffer.alloc(0) }),
        data: (socket, bytes) => {
          const input = Buffer.concat([socket.data.input, bytes]);
          socket.data.input = input;
          if (input.length < 2 || input.length < input.readUInt16BE(0) + 2) return;
          for (const answer of this.#answers(input.subarray(2), true)) {
            socket.write(Buffer.concat([Uint8Array.of(answer.length >> 8, answer.length & 255), answer]));
          }
        },
        error() {},
      },
    });
    const udp = await Bun.udpSocket({
      hostname: host,
      port: tcp.port,
      socket: {
        data: (socket, bytes, port, address) => {
          for (const answer of this.#answers(bytes, false)) socket.send(answer, port, address);
        },
        error() {},
      },
    });
    this.#port = tcp.port;
    this.#close = () => {
      udp.close();
      tcp.stop(true);
    };
  }

  #answers(bytes: Buffer, tcp: boolean): Uint8Array[] {
    const query = packet.decode(bytes);
    const [question] = query.questions;
    if (question === undefined) return [];
    const id = bytes.readUInt16BE(0);
    const name = question.name.toLowerCase();
    const hasExtensions = bytes.readUInt16BE(10) > 0;
    this.asked.push(`${tcp ? "tcp " : ""}${question.type} ${name}`);
    for (const wake of this.#onQuestion) wake();
    const answer = (over: object = {}) => this.#answer(id, question, over);
    switch (this.faults.get(name)) {
      case "silence":
        return [];
      case "serverFailure":
        return [answer({ flags: ANSWER_FLAGS | rcodes.serverFailure, answers: [] })];
      case "refused":
        return [answer({ flags: ANSWER_FLAGS | rcodes.refused, answers: [] })];
      case "truncated":
        return [tcp ? answer() : answer({ flags: ANSWER_FLAGS | TRUNCATED, answers: [] })];
      case "wrongId":
        return [answer({ id: id ^ 1, answers: lie(question) }), answer()];
      case "wrongQuestion": {
        const other = { ...question, name: "other.test" };
        return [answer({ questions: [other], answers: lie(question) }), answer()];
      }
      case "garbage":
        return [Buffer.concat([bytes.subarray(0, 2), Buffer.from([0x81, 0x80]), Buffer.alloc(40, 0xff)])];
      case "noExtensions":
        return [hasExtensions ? answer({ flags: ANSWER_FLAGS | rcodes.formatError, answers: [] }) : answer()];
      default:
        return [answer()];
    }
  }

  #answer(id: number, question: { name: string; type: string }, over: object): Uint8Array {
    const { answers, exists } = this.#find(question.name.toLowerCase(), question.type);
    const isEmpty = answers.every((record) => record.type !== question.type);
    const isOpen = this.faults.get(question.name.toLowerCase()) === "openChain";
    const soa = { mname: "ns.test", rname: "root.test", serial: 1, refresh: 1, retry: 1, expire: 1 };
    return packet.encode({
      type: "response",
      id,
      flags: ANSWER_FLAGS | (exists ? 0 : rcodes.noName),
      questions: [question],
      answers: isOpen ? answers.slice(0, 1) : answers,
      ...(isEmpty && !isOpen
        ? { authorities: [{ type: "SOA", name: "test", ttl: 60, data: { ...soa, minimum: 30 } }] }
        : {}),
      ...over,
    });
  }

  /** The records of a name, with the aliases on the way to them. */
  #find(start: string, type: string): { answers: EncodableRecord[]; exists: boolean } {
    const answers: EncodableRecord[] = [];
    let name = start;
    for (let hops = 0; hops < 12; hops++) {
      const records = this.zone.get(name);
      if (records === undefined) return { answers, exists: false };
      const found = records.filter((record) => record.type === type);
      answers.push(...found.map((record) => encodable(name, record)));
      const alias = records.find((record) => record.type === "CNAME");
      if (found.length > 0 || alias === undefined || alias.type === "MX") return { answers, exists: true };
      answers.push(encodable(name, alias));
      name = String(alias.data);
    }
    return { answers, exists: true };
  }
}

function encodable(name: string, record: ZoneRecord): EncodableRecord {
  const ttl = record.ttl ?? 300;
  if (record.type === "MX") {
    const { preference, exchange } = record;
    return { name, type: "MX", ttl, data: { preference, exchange } };
  }
  return { name, type: record.type, ttl, data: record.data };
}

/** What a forger would like us to believe. */
function lie({ name, type }: { name: string; type: string }): object[] {
  return type === "A" ? [{ name, type, ttl: 300, data: "203.0.113.66" }] : [];
}
