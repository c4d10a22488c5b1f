/** State directories of other servers, made for imports. */
import { cpSync, mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Dovecot } from "../oracle/dovecot.ts";
import { ImapClient } from "./imap-client.ts";

export interface SeenMessage {
  uid: number;
  flags: string[];
  internalDate: string;
  size: number;
  body: string;
}

export interface SeenMailbox {
  name: string;
  uidValidity: number;
  uidNext: number;
  messages: SeenMessage[];
}

/** What an IMAP server shows of an account: all that an import has to keep. */
export async function lookAt(client: ImapClient): Promise<SeenMailbox[]> {
  const { untagged } = await client.ok('LIST "" "*"');
  const names = untagged.flatMap(({ text }) => {
    const [, attributes = "", name = ""] = /^\* LIST \(([^)]*)\) "[./]" (.*)$/.exec(text) ?? [];
    return /\\No(nexistent|select)/i.test(attributes) ? [] : [name.replace(/^"(.*)"$/, "$1")];
  });
  const seen: SeenMailbox[] = [];
  for (const name of names.sort()) {
    const { uidValidity, uidNext, exists } = await client.select(name);
    const messages = exists === 0 ? [] : await fetchAll(client);
    seen.push({ name, uidValidity, uidNext, messages });
  }
  return seen;
}

async function fetchAll(client: ImapClient): Promise<SeenMessage[]> {
  const { untagged } = await client.ok("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])");
  return untagged.flatMap(({ text, literals }) => {
    if (!/ FETCH /.test(text)) return [];
    const flags = /FLAGS \(([^)]*)\)/.exec(text)?.[1] ?? "";
    const date = /INTERNALDATE "([^"]*)"/.exec(text)?.[1] ?? "";
    return {
      uid: Number(/UID (\d+)/.exec(text)?.[1]),
      // \Recent is a session's, not the message's.
      flags: flags
        .split(" ")
        .filter((flag) => flag !== "" && flag !== "\\Recent")
        .sort(),
      internalDate: new Date(date).toISOString(),
      size: Number(/RFC822\.SIZE (\d+)/.exec(text)?.[1]),
      body: literals[0]?.toString("latin1") ?? "",
    };
  });
}

export function append(mailbox: string, flags: string, date: string, text: string): string {
  return `APPEND ${mailbox} (${flags}) "${date}" {${Buffer.byteLength(text)}+}\r\n${text}`;
}

export function message(subject: string, lines = 3): string {
  const body = Array.from({ length: lines }, (_, line) => `line ${line} of ${subject}`).join("\r\n");
  return `From: <a@relay.test>\r\nTo: <b@relay.test>\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@localhost>\r\n\r\n${body}\r\n`;
}

/** Lets a real Dovecot fill mailboxes, and lays them out as cmdeploy does. @returns what it showed at its end */
export async function dovecotFilled(
  accounts: readonly string[],
  root: string,
  fill: (client: ImapClient, account: string, maildir: string) => Promise<void>,
): Promise<Map<string, SeenMailbox[]>> {
  const seen = new Map<string, SeenMailbox[]>();
  const dovecot = await Dovecot.start(accounts, "password");
  try {
    for (const account of accounts) {
      for (const part of ["cur", "new", "tmp"])
        mkdirSync(join(dovecot.maildir(account), part), { recursive: true });
      dovecot.own(account);
      const client = await ImapClient.open({ host: "127.0.0.1", port: dovecot.port, tls: false });
      await client.login(account, "password");
      await client.select("INBOX");
      await fill(client, account, dovecot.maildir(account));
      seen.set(account, await lookAt(client));
      await client.ok("LOGOUT");
      client.close();
    }
  } finally {
    await dovecot.stop(undefined, () => {
      for (const account of seen.keys()) {
        const home = join(root, "home/vmail/mail", account.slice(account.indexOf("@") + 1), account);
        mkdirSync(dirname(home), { recursive: true });
        cpSync(dovecot.maildir(account), home, { recursive: true, preserveTimestamps: true });
      }
    });
  }
  return seen;
}

/** The `password` file of a chatmail relay. @param loginSec time of the last login */
export function writePassword(root: string, account: string, hash: string, loginSec: number): void {
  const home = join(root, "home/vmail/mail", account.slice(account.indexOf("@") + 1), account);
  mkdirSync(home, { recursive: true });
  rmSync(join(home, "password"), { force: true });
  writeFileSync(join(home, "password"), hash);
  utimesSync(join(home, "password"), loginSec, loginSec);
}
