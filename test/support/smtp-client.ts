/** A small SMTP client that speaks as Delta Chat does: EHLO, AUTH PLAIN, pipelined envelopes, dot-free bodies. */
import { Link, type LinkOptions } from "./link.ts";

export interface Reply {
  code: number;
  /** Text of each line, without code and separator. */
  lines: string[];
}

export interface Envelope {
  from: string;
  to: readonly string[];
}

export class SmtpClient {
  readonly link: Link;
  /** What the last EHLO announced, upper case. */
  capabilities: string[] = [];

  constructor(link: Link) {
    this.link = link;
  }

  /** Connects, reads the greeting, says EHLO; with `startTls` it upgrades and says EHLO again. */
  static async open(options: LinkOptions & { startTls?: boolean }): Promise<SmtpClient> {
    const client = new SmtpClient(await Link.connect(options));
    expectCode(await client.reply(), 220);
    await client.hello();
    if (options.startTls === true) {
      expectCode(await client.command("STARTTLS"), 220);
      await client.link.upgrade();
      await client.hello();
    }
    return client;
  }

  async hello(): Promise<void> {
    const reply = expectCode(await this.command("EHLO [127.0.0.1]"), 250);
    this.capabilities = reply.lines.slice(1).map((line) => line.toUpperCase());
  }

  command(line: string): Promise<Reply> {
    this.link.write(`${line}\r\n`);
    return this.reply();
  }

  async reply(): Promise<Reply> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.link.line();
      if (!/^\d{3}([ -]|$)/.test(line)) throw new Error(`not an SMTP reply: ${JSON.stringify(line)}`);
      lines.push(line.slice(4));
      if (line[3] !== "-") return { code: Number(line.slice(0, 3)), lines };
    }
  }

  auth(user: string, password: string): Promise<Reply> {
    return this.command(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString("base64")}`);
  }

  /**
   * One transaction, envelope pipelined. `data` has CRLF line ends and no line that begins with a dot.
   * @returns the reply to the end of DATA, or the first refusal before it
   */
  async send({ from, to }: Envelope, data: Uint8Array): Promise<Reply> {
    const rcpt = to.map((address) => `RCPT TO:<${address}>\r\n`).join("");
    this.link.write(`MAIL FROM:<${from}> BODY=8BITMIME\r\n${rcpt}DATA\r\n`);
    const replies: Reply[] = [];
    for (let i = 0; i < to.length + 2; i++) {
      const reply = await this.reply();
      // RFC 5321 §3.8: the server hangs up after it, so no further reply comes.
      if (reply.code === 421) return reply;
      replies.push(reply);
    }
    const go = replies.at(-1);
    const refusal = replies.find((reply) => reply.code >= 400);
    if (go?.code === 354) {
      this.link.write(data);
      this.link.write(".\r\n");
      const last = await this.reply();
      return refusal ?? last;
    }
    if (refusal === undefined) throw new Error(`DATA answered ${go?.code}`);
    await this.command("RSET");
    return refusal;
  }

  async quit(): Promise<void> {
    await this.command("QUIT");
    this.link.close();
  }
}

function expectCode(reply: Reply, code: number): Reply {
  if (reply.code !== code) throw new Error(`expected ${code}, got ${reply.code} ${reply.lines.join(" | ")}`);
  return reply;
}
