/**
 * A chatmail/relay (cmdeploy) as a source: Dovecot Maildirs below `home/vmail/mail/<domain>/<address>`, each with its
 * `password` file, whose time of change is the last login; DKIM key, certificate and `chatmail.ini` at their places
 * beside it, where SOURCE is a whole system or lies in one.
 */
import * as fs from "node:fs";
import { basename, join, resolve } from "node:path";
import { type Domain, hostOf, parseAddress, parseDomain } from "../core/address.ts";
import { parseJson } from "../core/json.ts";
import { readSubscriptions } from "../storage/subscriptions.ts";
import { type ChatmailIni, iniToml, readIni } from "./chatmail-ini.ts";
import { dovecotDialect, listFolders, readMailbox } from "./maildir-source.ts";
import { mostUsed } from "./most-used.ts";
import {
  type DeviceToken,
  type LeftBehind,
  noTables,
  type Source,
  type SourceAccount,
  SourceError,
} from "./source.ts";

const DAY_SEC = 86_400;
/** The selector that cmdeploy publishes. */
const SELECTOR = "opendkim";

/** Where accounts may lie below what the operator named: a system, vmail's home, the mail directory, a domain. */
const places = ["home/vmail/mail", "mail", "."];

/** Whether this looks like a chatmail/relay. */
export function isChatmail(path: string): boolean {
  return places.some((place) => accountDirectories(join(path, place)).length > 0);
}

/** @throws {SourceError} when there are no accounts */
export function openChatmail(given: string): Source {
  const path = resolve(given);
  const mail = places.map((place) => join(path, place)).find((place) => accountDirectories(place).length > 0);
  if (mail === undefined) {
    throw new SourceError(
      `${path}: expected mail directories with \`password\` files (/home/vmail/mail), found none`,
    );
  }
  const leftBehind: LeftBehind[] = [];
  const accounts: SourceAccount[] = [];
  let withClearText = 0;
  for (const { directory, domain } of accountDirectories(mail)) {
    const account = readAccount(directory, domain, leftBehind);
    if (account === undefined) continue;
    accounts.push(account);
    if (!fs.existsSync(join(directory, "enforceE2EEincoming"))) withClearText++;
  }
  if (withClearText > 0) {
    leftBehind.push({
      why: "permission to receive mail in clear: here all mail must be end-to-end encrypted",
      what: `${withClearText} accounts`,
    });
  }
  const system = systemRoot(mail);
  const ini = system === undefined ? undefined : findIni(system, leftBehind);
  const domains = domainsOf(accounts, ini);
  return {
    kind: "chatmail",
    path: mail,
    domains,
    accounts,
    tables: noTables,
    ...keysOf(system, domains[0], ini),
    config: ini === undefined ? undefined : (place) => iniToml(ini, domains, place),
    leftBehind,
    close: () => {},
  };
}

/** `<mail>/<domain>/<address>` and, when a domain's own directory was named, `<mail>/<address>`. */
function accountDirectories(mail: string): { directory: string; domain: string }[] {
  const found: { directory: string; domain: string }[] = [];
  for (const name of directoriesIn(mail)) {
    const directory = join(mail, name);
    if (isAccount(directory)) found.push({ directory, domain: basename(mail) });
    else
      for (const inner of directoriesIn(directory)) {
        if (isAccount(join(directory, inner)))
          found.push({ directory: join(directory, inner), domain: name });
      }
  }
  return found;
}

function isAccount(directory: string): boolean {
  return fs.existsSync(join(directory, "password")) || maildirIn(directory) !== undefined;
}

function directoriesIn(path: string): string[] {
  try {
    const entries = fs.readdirSync(path, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
      .map(({ name }) => name);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw new SourceError(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    });
  }
}

/** cmdeploy keeps the Maildir in the account's directory itself; others have it one level down. */
function maildirIn(directory: string): string | undefined {
  return [directory, join(directory, "Maildir"), join(directory, "mail")].find(
    (place) => fs.existsSync(join(place, "cur")) && fs.existsSync(join(place, "new")),
  );
}

function readAccount(directory: string, domain: string, leftBehind: LeftBehind[]): SourceAccount | undefined {
  const name = basename(directory);
  const address = parseAddress(name.includes("@") ? name : `${name}@${domain}`);
  if (address === undefined) {
    leftBehind.push({ why: "a directory name that is no address", what: directory });
    return undefined;
  }
  const password = readPassword(join(directory, "password"));
  if (password === undefined) {
    leftBehind.push({ why: "an account without a password: nobody could log in", what: address });
    return undefined;
  }
  const { hash, loginDaySec } = password;
  const maildir = maildirIn(directory);
  return {
    address,
    row: {
      hash,
      createdAtSec: loginDaySec,
      firstLoginAtSec: loginDaySec,
      lastLoginAtSec: loginDaySec,
      quotaBytes: 0,
      usedToken: undefined,
    },
    tokens: readTokens(join(directory, "metadata.json")),
    subscriptions: () => (maildir === undefined ? [] : readDovecotSubscriptions(maildir)),
    mailboxes: (leave) => {
      if (maildir === undefined) return Promise.resolve([]);
      let fresh = Math.floor(Date.now() / 1000);
      const folders = listFolders(maildir, leave);
      return Promise.resolve(
        folders.map((folder) => readMailbox(folder, dovecotDialect, () => fresh++, leave)),
      );
    },
  };
}

/** An empty file is an account that is just being made: it counts as none. */
function readPassword(path: string): { hash: string; loginDaySec: number } | undefined {
  try {
    const hash = fs.readFileSync(path, "utf8").trim();
    const seconds = Math.floor(fs.statSync(path).mtimeMs / 1000);
    return hash === "" ? undefined : { hash, loginDaySec: seconds - (seconds % DAY_SEC) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new SourceError(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    });
  }
}

/** `{"devicetoken": {"<token>": <seconds>}}`, in older relays a list of tokens. */
function readTokens(path: string): DeviceToken[] {
  let text: string;
  try {
    text = fs.readFileSync(path, "utf8");
  } catch {
    return [];
  }
  const json = parseJson(text);
  const tokens: unknown =
    typeof json === "object" && json !== null ? Reflect.get(json, "devicetoken") : undefined;
  const now = Date.now() / 1000;
  const entries: [string, unknown][] = Array.isArray(tokens)
    ? tokens.map((token) => [String(token), now])
    : typeof tokens === "object" && tokens !== null
      ? Object.entries(tokens)
      : [];
  return entries.map(([token, at]) => {
    const seconds = typeof at === "number" && Number.isFinite(at) ? Math.floor(at) : Math.floor(now);
    return { token, updatedAtSec: seconds - (seconds % DAY_SEC) };
  });
}

/** Dovecot's first form has one encoded name a line, its second is what storage reads. */
function readDovecotSubscriptions(maildir: string): string[] {
  const second = readSubscriptions(maildir);
  if (second.size > 0) return [...second];
  try {
    const lines = fs.readFileSync(join(maildir, "subscriptions"), "utf8").split("\n");
    if (lines[0]?.startsWith("V\t") === true) return [];
    return lines.filter((line) => line !== "").map((line) => line.replaceAll(".", "/"));
  } catch {
    return [];
  }
}

/** The system that the mail directory belongs to: what comes before `home/vmail`. */
function systemRoot(mail: string): string | undefined {
  const index = `${mail}/`.indexOf("/home/vmail/");
  return index < 0 ? undefined : mail.slice(0, index) || "/";
}

function findIni(system: string, leftBehind: LeftBehind[]): ChatmailIni | undefined {
  for (const place of ["usr/local/lib/chatmaild/chatmail.ini", "etc/chatmail/chatmail.ini", "chatmail.ini"]) {
    const path = join(system, place);
    if (fs.existsSync(path))
      return readIni(path, fs.existsSync(join(system, "etc/chatmail-nocreate")), leftBehind);
  }
  return undefined;
}

function domainsOf(accounts: readonly SourceAccount[], ini: ChatmailIni | undefined): Domain[] {
  const configured = ini === undefined ? undefined : parseDomain(ini.values.get("mail_domain") ?? "");
  return mostUsed(
    accounts.map(({ address }) => address),
    configured,
  );
}

function keysOf(
  system: string | undefined,
  domain: Domain | undefined,
  ini: ChatmailIni | undefined,
): Pick<Source, "dkim" | "tls"> {
  if (system === undefined || domain === undefined) return { dkim: undefined, tls: undefined };
  const dkim = join(system, "etc/dkimkeys", `${SELECTOR}.private`);
  const [cert, key] = ini?.values.get("tls_external_cert_and_key")?.split(/\s+/) ?? [];
  const acme = join(system, "var/lib/acme/live", hostOf(domain));
  const pairs = [
    ...(cert === undefined || key === undefined
      ? []
      : [{ cert: join(system, cert), key: join(system, key) }]),
    { cert: join(acme, "fullchain"), key: join(acme, "privkey") },
    {
      cert: join(system, "etc/ssl/certs/mailserver.pem"),
      key: join(system, "etc/ssl/private/mailserver.key"),
    },
  ];
  return {
    dkim: fs.existsSync(dkim) ? { selector: SELECTOR, path: dkim } : undefined,
    tls: pairs.find((pair) => fs.existsSync(pair.cert) && fs.existsSync(pair.key)),
  };
}
