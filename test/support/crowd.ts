/**
 * Hundreds of mail servers of others, each on a loopback address of its own, all with the same two ports: some take mail
 * by HTTPS, some by SMTP, some hang, some refuse. What the good ones took is counted by message and recipient.
 */
import { makeCertificate, makeKey } from "../../src/tls/self-signed.ts";
import { freePort } from "./free-port.ts";

export type Manner =
  /** `/mxdeliv` over TLS. */
  | "https"
  /** Port 25 with STARTTLS; nobody at the HTTPS port. */
  | "smtp"
  /** Takes connections on both ports and never says a word. */
  | "silent"
  /** Takes a whole message by SMTP and never answers. */
  | "stuck"
  /** Nobody listens. */
  | "closed"
  /** 550 to every recipient. */
  | "refusing";

/** Of five servers one hangs, one refuses, three are well. */
const manners: readonly Manner[] = [
  ...(["silent", "closed", "https", "smtp", "https"] as const),
  ...(["stuck", "refusing", "smtp", "https", "smtp"] as const),
];
const HOSTS_PER_NET = 250;

export interface Member {
  domain: string;
  host: string;
  manner: Manner;
}

/** One message as it came over the wire. */
export interface Arrival {
  via: "https" | "smtp";
  /** Lines of the request's head, or commands in TLS, of which the last began the message. */
  lines: readonly string[];
  /** Address, "" for `<>`. */
  sender: string;
  recipients: readonly string[];
  /** Latin-1, dots taken off. */
  text: string;
}

interface Talk {
  member: Member;
  input: string;
  lines: string[];
  sender: string;
  recipients: string[];
  isInData: boolean;
}

type Handlers = Bun.SocketHandler<Talk>;

export class Crowd {
  readonly members: readonly Member[];
  readonly ports: { https: number; smtp: number };
  /** Which life of the sending relay it is: set by the test at each kill. */
  life = 0;
  /** `<Message-ID> recipient` → the lives in which it was taken. */
  readonly taken = new Map<string, number[]>();
  /** Called at each message that was taken. */
  onTaken: (arrival: Arrival) => void = () => {};
  readonly #key: string;
  readonly #cert: string;
  readonly #listeners: Bun.TCPSocketListener<Talk>[] = [];

  private constructor(count: number, key: string, cert: string) {
    this.members = Array.from({ length: count }, (_, n) => ({
      domain: `d${n}.crowd.test`,
      host: `127.1.${1 + Math.floor(n / HOSTS_PER_NET)}.${1 + (n % HOSTS_PER_NET)}`,
      manner: manners[n % manners.length] ?? "closed",
    }));
    const hosts = this.members.map(({ host }) => host);
    this.ports = { https: freePort(hosts), smtp: freePort(hosts) };
    this.#key = key;
    this.#cert = cert;
  }

  static async start(count: number): Promise<Crowd> {
    const key = await makeKey();
    const crowd = new Crowd(count, key, await makeCertificate(["crowd.test"], key, Date.now()));
    for (const member of crowd.members) crowd.#listen(member);
    return crowd;
  }

  /** `[federation]` of a relay that is to reach them: their certificates are nobody's word. */
  get federation(): Record<string, string | number | boolean> {
    const { https, smtp } = this.ports;
    return {
      allow_private_addresses: true,
      tls: "encrypted",
      https_port: https,
      http_port: 1,
      smtp_port: smtp,
    };
  }

  stop(): void {
    for (const listener of this.#listeners) listener.stop(true);
  }

  #listen(member: Member): void {
    const { host: hostname, manner } = member;
    const { https, smtp } = this.ports;
    const at = (port: number, open: Handlers["open"], handlers: Handlers) => {
      const socket = { drain() {}, error() {}, ...handlers, ...(open === undefined ? {} : { open }) };
      this.#listeners.push(Bun.listen<Talk>({ hostname, port, socket }));
    };
    const begin = () => talkWith(member, "");
    if (manner === "closed") return;
    if (manner === "silent") {
      for (const port of [https, smtp]) at(port, undefined, { data() {} });
    } else if (manner === "https") {
      at(https, (socket) => this.#secure(socket, begin(), (talk, reply) => this.#http(talk, reply)), {
        data() {},
      });
    } else {
      const open = (socket: Bun.Socket<Talk>) => {
        socket.data = begin();
        socket.write(`220 ${member.domain} ESMTP\r\n`);
      };
      at(smtp, open, { data: (socket, bytes) => this.#clear(socket, bytes) });
    }
  }

  /** EHLO and STARTTLS, then everything in TLS. */
  #clear(socket: Bun.Socket<Talk>, bytes: Buffer): void {
    const { data: talk } = socket;
    // After the upgrade this handler still sees the ciphertext.
    if (talk.input === "tls") return;
    const text = bytes.toString("latin1");
    if (!/^STARTTLS\r\n$/i.test(text)) {
      socket.write("250-crowd\r\n250 STARTTLS\r\n");
      return;
    }
    socket.write("220 go\r\n");
    talk.input = "tls";
    this.#secure(socket, talkWith(talk.member, ""), (inner, reply) => this.#smtp(inner, reply));
  }

  #secure(
    socket: Bun.Socket<Talk>,
    talk: Talk,
    onInput: (talk: Talk, reply: (text: string) => void) => void,
  ): void {
    const { member } = talk;
    socket.data = talkWith(member, "tls");
    socket.upgradeTLS<Talk>({
      data: talk,
      tls: { key: this.#key, cert: this.#cert },
      socket: {
        data: (secured, bytes) => {
          secured.data.input += bytes.toString("latin1");
          onInput(secured.data, (text) => void secured.write(text));
        },
        drain() {},
        error() {},
      },
    });
  }

  #http(talk: Talk, reply: (text: string) => void): void {
    const head = talk.input.indexOf("\r\n\r\n");
    const length = Number(/^content-length: (\d+)/im.exec(talk.input.slice(0, head))?.[1] ?? 0);
    if (head < 0 || talk.input.length < head + 4 + length) return;
    const lines = talk.input.slice(0, head).split("\r\n");
    const field = (name: string) =>
      lines
        .filter((line) => line.toLowerCase().startsWith(`${name}: `))
        .map((line) => line.slice(name.length + 2));
    this.#take({
      via: "https",
      lines,
      sender: field("x-mail-from").join(),
      recipients: field("x-mail-to"),
      text: talk.input.slice(head + 4),
    });
    talk.input = "";
    reply("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\n250 OK");
  }

  #smtp(talk: Talk, reply: (text: string) => void): void {
    for (;;) {
      const mark = talk.isInData ? "\r\n.\r\n" : "\r\n";
      const end = talk.input.indexOf(mark);
      if (end < 0) return;
      const piece = talk.input.slice(0, end);
      talk.input = talk.input.slice(end + mark.length);
      const answer = talk.isInData ? this.#endOfData(talk, piece) : command(talk, piece);
      if (answer !== undefined) reply(`${answer}\r\n`);
    }
  }

  #endOfData(talk: Talk, text: string): string | undefined {
    talk.isInData = false;
    if (talk.member.manner === "stuck") return undefined;
    const { lines, sender, recipients } = talk;
    this.#take({ via: "smtp", lines, sender, recipients, text: `${text.replace(/^\.\./gm, ".")}\r\n` });
    // EHLO holds for the next one, too.
    talk.lines = lines.slice(0, 1);
    return "250 2.0.0 taken";
  }

  #take(arrival: Arrival): void {
    const { text, recipients } = arrival;
    const id = /^message-id: *(<[^>]*>)/im.exec(text)?.[1] ?? "";
    for (const recipient of recipients) {
      const key = `${id} ${recipient}`;
      this.taken.set(key, [...(this.taken.get(key) ?? []), this.life]);
    }
    this.onTaken(arrival);
  }
}

function talkWith(member: Member, input: string): Talk {
  return { member, input, lines: [], sender: "", recipients: [], isInData: false };
}

function command(talk: Talk, line: string): string {
  const verb = line.slice(0, 4).toUpperCase();
  talk.lines.push(line);
  if (verb === "EHLO") return "250-crowd\r\n250-PIPELINING\r\n250 8BITMIME";
  if (verb === "MAIL") {
    talk.recipients = [];
    talk.sender = /<([^>]*)>/.exec(line)?.[1] ?? "";
  }
  if (verb === "RCPT") {
    if (talk.member.manner === "refusing") return "550 5.1.1 nobody of that name";
    talk.recipients.push(/<([^>]*)>/.exec(line)?.[1] ?? "");
  }
  if (verb !== "DATA") return "250 2.0.0 ok";
  if (talk.recipients.length === 0) return "554 5.5.1 no recipients";
  talk.isInData = true;
  return "354 go on";
}
