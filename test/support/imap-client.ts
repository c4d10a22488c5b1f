/** A small IMAP client: tagged commands, untagged lines with their literals, IDLE, COMPRESS. */
import { Link, type LinkOptions } from "./link.ts";

/** One server line; a literal stands in `text` as its `{n}` and its bytes in `literals`, in order. */
export interface ImapLine {
  text: string;
  literals: Buffer[];
}

export interface ImapAnswer {
  status: "OK" | "NO" | "BAD";
  /** The text after the status. */
  text: string;
  untagged: ImapLine[];
}

export interface Fetched {
  uid: number;
  flags: string[];
  body: Buffer | undefined;
}

const LITERAL_AT_END = /\{(\d+)\}$/;

export class ImapClient {
  readonly link: Link;
  greeting = "";
  /** The server said BYE (RFC 9051 §7.1.5). */
  saidBye = false;
  #tag = 0;

  constructor(link: Link) {
    this.link = link;
  }

  static async open(options: LinkOptions & { startTls?: boolean }): Promise<ImapClient> {
    const client = new ImapClient(await Link.connect(options));
    client.greeting = (await client.next()).text;
    if (!client.greeting.startsWith("* OK")) throw new Error(`greeting: ${client.greeting}`);
    if (options.startTls === true) {
      await client.ok("STARTTLS");
      await client.link.upgrade();
    }
    return client;
  }

  /** The next complete line, literals read. */
  async next(timeoutMs?: number): Promise<ImapLine> {
    let text = "";
    const literals: Buffer[] = [];
    for (;;) {
      text += await this.link.line(timeoutMs);
      if (text.startsWith("* BYE")) this.saidBye = true;
      const size = LITERAL_AT_END.exec(text)?.[1];
      if (size === undefined) return { text, literals };
      literals.push(await this.link.bytes(Number(size), timeoutMs));
    }
  }

  async command(text: string): Promise<ImapAnswer> {
    const tag = this.send(text);
    return this.answer(tag);
  }

  /** Sends without waiting. @returns the tag */
  send(text: string): string {
    this.#tag++;
    const tag = `t${this.#tag}`;
    this.link.write(`${tag} ${text}\r\n`);
    return tag;
  }

  /** Reads up to the tagged answer. */
  async answer(tag: string): Promise<ImapAnswer> {
    const untagged: ImapLine[] = [];
    for (;;) {
      const line = await this.next();
      if (!line.text.startsWith(`${tag} `)) {
        untagged.push(line);
        continue;
      }
      const [, status, ...words] = line.text.split(" ");
      if (status !== "OK" && status !== "NO" && status !== "BAD") throw new Error(`odd answer: ${line.text}`);
      return { status, text: words.join(" "), untagged };
    }
  }

  /** A command that must succeed. */
  async ok(text: string): Promise<ImapAnswer> {
    const answer = await this.command(text);
    if (answer.status !== "OK") {
      throw new Error(`${text.split(" ")[0]} answered ${answer.status} ${answer.text}`);
    }
    return answer;
  }

  /** A command whose answer is only counted, for measurements. @returns bytes of the answer */
  async drain(text: string): Promise<number> {
    const tag = this.send(text);
    const bytes = await this.link.skipPast(Buffer.from(`\r\n${tag} `));
    const status = await this.link.line();
    if (!status.startsWith("OK")) throw new Error(`${text.split(" ")[0]} answered ${status}`);
    return bytes;
  }

  login(user: string, password: string): Promise<ImapAnswer> {
    return this.command(`LOGIN ${quote(user)} ${quote(password)}`);
  }

  async compress(): Promise<void> {
    await this.ok("COMPRESS DEFLATE");
    this.link.startCompression();
  }

  /** Selects. @returns UIDVALIDITY, UIDNEXT and the number of messages */
  async select(mailbox = "INBOX"): Promise<{ uidValidity: number; uidNext: number; exists: number }> {
    const { untagged } = await this.ok(`SELECT ${quote(mailbox)}`);
    const all = untagged.map((line) => line.text).join("\n");
    const number = (pattern: RegExp) => Number(pattern.exec(all)?.[1] ?? Number.NaN);
    return {
      uidValidity: number(/UIDVALIDITY (\d+)/),
      uidNext: number(/UIDNEXT (\d+)/),
      exists: number(/^\* (\d+) EXISTS/m),
    };
  }

  /** `UID FETCH set (FLAGS BODY.PEEK[])` as Delta Chat does, or headers only with a section. */
  async fetch(set: string, section = ""): Promise<Fetched[]> {
    const { untagged } = await this.ok(`UID FETCH ${set} (UID FLAGS BODY.PEEK[${section}])`);
    return untagged.flatMap((line) => parseFetch(line) ?? []);
  }

  /** All messages of a mailbox with the given header field, by UID. */
  async messageIds(mailbox = "INBOX"): Promise<Map<number, string>> {
    const { exists } = await this.select(mailbox);
    if (exists === 0) return new Map();
    const fetched = await this.fetch("1:*", "HEADER.FIELDS (MESSAGE-ID)");
    return new Map(
      fetched.map((m) => [m.uid, /^message-id:\s*(\S+)/im.exec(m.body?.toString("latin1") ?? "")?.[1] ?? ""]),
    );
  }

  /** RFC 9208: used and limit of the STORAGE resource of INBOX, KiB. */
  async quotaKib(): Promise<{ used: number; limit: number }> {
    const { untagged } = await this.ok('GETQUOTAROOT "INBOX"');
    const found = untagged.map((line) => /STORAGE (\d+) (\d+)/.exec(line.text)).find((m) => m !== null);
    return { used: Number(found?.[1]), limit: Number(found?.[2]) };
  }

  /** Starts IDLE; resolves when the server said `+`. */
  async idle(): Promise<string> {
    const tag = this.send("IDLE");
    for (;;) {
      const line = await this.next();
      if (line.text.startsWith("+")) return tag;
      if (line.text.startsWith(`${tag} `)) throw new Error(`IDLE refused: ${line.text}`);
    }
  }

  /** Ends IDLE. */
  done(tag: string): Promise<ImapAnswer> {
    this.link.write("DONE\r\n");
    return this.answer(tag);
  }

  close(): void {
    this.link.close();
  }
}

function parseFetch(line: ImapLine): Fetched | undefined {
  if (!/^\* \d+ FETCH /.test(line.text)) return undefined;
  return {
    uid: Number(/UID (\d+)/.exec(line.text)?.[1] ?? Number.NaN),
    flags: (/FLAGS \(([^)]*)\)/.exec(line.text)?.[1] ?? "").split(" ").filter(Boolean),
    body: line.literals[0],
  };
}

function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}
