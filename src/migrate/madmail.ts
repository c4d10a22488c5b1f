/**
 * The state directory of a madmail (1 or 2) or maddy as a source. Version 2 keeps mail in Maildirs, the others in
 * go-imap-sql's index; accounts, settings and keys are alike.
 */
import * as fs from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type Address, type Domain, hostOf } from "../core/address.ts";
import { madmailDialect, readMailbox } from "./maildir-source.ts";
import { mostUsed } from "./most-used.ts";
import { ForeignDb } from "./foreign-db.ts";
import { imapsqlMailboxes, imapsqlSubscriptions, imapsqlUsers } from "./imapsql.ts";
import { readMadmailTables } from "./madmail-tables.ts";
import { type ForeignConfig, findConfig } from "./foreign-config.ts";
import {
  type LeftBehind,
  type Source,
  type SourceAccount,
  SourceError,
  type SourceMailbox,
} from "./source.ts";

const databaseNames = ["credentials.db", "chatmail.db", "imapsql.db"] as const;
const DAY_SEC = 86_400;

/** How the mail of a kind of server is found. */
interface Mail {
  mailboxes(address: Address, leave: (left: LeftBehind) => void): SourceMailbox[];
  subscriptions(address: Address): readonly string[];
  /** Mail whose account is not there. */
  owners(): Iterable<string>;
}

/** @returns undefined when this is no madmail's state directory */
export function madmailKind(path: string): "madmail2" | "madmail1" | "maddy" | undefined {
  const found = databaseNames.filter((name) => fs.existsSync(join(path, name)));
  if (found.length === 0) return undefined;
  if (fs.existsSync(join(path, "mail"))) return "madmail2";
  if (!found.includes("imapsql.db")) return "madmail2";
  const db = new ForeignDb(join(path, "imapsql.db"));
  try {
    return db.has("quotas") || db.has("quota") || db.has("registration_tokens") ? "madmail1" : "maddy";
  } finally {
    db.close();
  }
}

/**
 * @param configFile where its configuration is, when it is not beside the state or at its place below /etc
 * @throws {SourceError}
 */
export function openMadmail(
  given: string,
  kind: "madmail2" | "madmail1" | "maddy",
  configFile: string | undefined,
): Source {
  const path = resolve(given);
  const leftBehind: LeftBehind[] = [];
  const leave = (left: LeftBehind) => void leftBehind.push(left);
  const config = findConfig(path, configFile);
  leftBehind.push(...(config?.notTaken ?? []));
  const dbs = openDatabases(path, config, leave);
  try {
    const todaySec = Math.floor(Date.now() / 1000 / DAY_SEC) * DAY_SEC;
    const { accounts, tables } = readMadmailTables(dbs, todaySec, leave);
    const mail = kind === "madmail2" ? maildirMail(path) : imapsqlMail(path, dbs, config);
    for (const owner of mail.owners()) {
      if (!accounts.has(owner as Address))
        leave({ why: "mail of an address without an account", what: owner });
    }
    leaveOthers(path, kind, leave);
    const domains = domainsOf([...accounts.keys()], config);
    return {
      kind,
      path,
      domains,
      accounts: [...accounts].map(
        ([address, facts]): SourceAccount => ({
          address,
          ...facts,
          mailboxes: (leaveOne) => Promise.resolve(mail.mailboxes(address, leaveOne)),
          subscriptions: () => mail.subscriptions(address),
        }),
      ),
      tables,
      dkim: dkimOf(path, domains),
      tls: tlsOf(path, config),
      config: config === undefined ? undefined : config.text,
      leftBehind,
      close: () => {
        for (const db of dbs) db.close();
      },
    };
  } catch (error) {
    for (const db of dbs) db.close();
    throw error;
  }
}

/** @throws {SourceError} when there are none, or they are in PostgreSQL */
function openDatabases(
  path: string,
  config: ForeignConfig | undefined,
  leave: (left: LeftBehind) => void,
): ForeignDb[] {
  const remote = config?.databases.find(({ driver }) => !driver.startsWith("sqlite"));
  if (remote !== undefined) {
    throw new SourceError(
      `${path}: its database is kept by ${remote.driver}, which is not read; bring it into SQLite first`,
    );
  }
  const named = (config?.databases ?? []).map(({ dsn }) =>
    resolve(path, dsn.replace(/^file:/, "").replace(/\?.*$/, "")),
  );
  const files = [...new Set([...databaseNames.map((name) => join(path, name)), ...named])].filter((file) =>
    fs.existsSync(file),
  );
  if (files.length === 0) {
    throw new SourceError(`${path}: expected a database (${databaseNames.join(", ")}), found none`);
  }
  const dbs = files.map((file) => new ForeignDb(file));
  for (const db of dbs) {
    if (db.wasOpen)
      leave({ why: "what its server may still write: it did not close this database", what: db.path });
  }
  return dbs;
}

/** Directories are named by the account, with `_` for what cannot stand in a name. */
function maildirMail(path: string): Mail {
  const root = join(path, "mail");
  const homeOf = (address: Address) => join(root, address.replaceAll(/[/\\]/g, "_"));
  return {
    owners: () => directoriesIn(root),
    subscriptions: () => [],
    mailboxes(address, leave) {
      const inbox = join(homeOf(address), "Maildir");
      if (!fs.existsSync(inbox)) return [];
      let fresh = 1;
      const folders = [{ name: "INBOX", directory: inbox }];
      for (const name of directoriesIn(join(homeOf(address), "folders"))) {
        const directory = join(homeOf(address), "folders", name);
        const inner = join(directory, "Maildir");
        folders.push({ name, directory: fs.existsSync(join(inner, "cur")) ? inner : directory });
      }
      return folders.map((folder) => readMailbox(folder, madmailDialect, () => fresh++, leave));
    },
  };
}

function imapsqlMail(path: string, dbs: readonly ForeignDb[], config: ForeignConfig | undefined): Mail {
  const db = dbs.find((each) => each.has("msgs") && each.has("mboxes"));
  if (db === undefined) throw new SourceError(`${path}: expected a message index (imapsql.db), found none`);
  const store = resolve(path, config?.messageStore ?? "messages");
  const users = new Map([...imapsqlUsers(db)].map(([name, id]) => [name.toLowerCase(), id]));
  return {
    owners: () => users.keys(),
    subscriptions(address) {
      const id = users.get(address);
      return id === undefined ? [] : imapsqlSubscriptions(db, id);
    },
    mailboxes(address, leave) {
      const id = users.get(address);
      return id === undefined ? [] : imapsqlMailboxes(db, id, store, leave);
    },
  };
}

/** What a state directory holds besides, and what becomes of it. */
function leaveOthers(path: string, kind: string, leave: (left: LeftBehind) => void): void {
  const queued = namesIn(join(path, "remote_queue")).filter((name) => name.endsWith(".meta")).length;
  if (queued > 0) {
    const what = `${queued} in ${join(path, "remote_queue")}`;
    leave({ why: "mail that waits for other servers: let the old relay send it before you stop it", what });
  }
  const links = join(path, "sharing.db");
  if (fs.existsSync(links)) leave({ why: "links for sharing contacts", what: links });
  const token = join(path, "admin_token");
  if (fs.existsSync(token))
    leave({ why: "the token of the admin panel: this relay makes its own", what: token });
  if (kind === "madmail2" && fs.existsSync(join(path, "imapsql.db"))) {
    leave({
      why: "mail that version 1 left here and version 2 never showed: `--from madmail1` reads that instead",
      what: join(path, "imapsql.db"),
    });
  }
}

function domainsOf(addresses: readonly Address[], config: ForeignConfig | undefined): Domain[] {
  const used = mostUsed(addresses, config?.domains[0]);
  return [...new Set([...used, ...(config?.domains ?? [])])];
}

/** Version 2 keeps `dkim/default.private`, version 1 `dkim_keys/<domain>_<selector>.key`. */
function dkimOf(path: string, domains: readonly Domain[]): Source["dkim"] {
  const own = join(path, "dkim/default.private");
  if (fs.existsSync(own)) return { selector: "default", path: own };
  for (const domain of domains) {
    const prefix = `${hostOf(domain)}_`;
    const name = namesIn(join(path, "dkim_keys")).find(
      (each) => each.startsWith(prefix) && each.endsWith(".key"),
    );
    if (name === undefined) continue;
    const selector = name.slice(prefix.length, -".key".length);
    return { selector, path: join(path, "dkim_keys", name) };
  }
  return undefined;
}

function tlsOf(path: string, config: ForeignConfig | undefined): Source["tls"] {
  const places = [
    join(path, "certs"),
    ...(config === undefined ? [] : [join(dirname(config.path), "certs")]),
  ];
  const pairs = [
    ...(config?.tls === undefined ? [] : [config.tls]),
    ...places.map((place) => ({ cert: join(place, "fullchain.pem"), key: join(place, "privkey.pem") })),
  ];
  return pairs.find(({ cert, key }) => fs.existsSync(cert) && fs.existsSync(key));
}

function directoriesIn(path: string): string[] {
  return namesIn(path).filter(
    (name) => !name.startsWith(".") && fs.statSync(join(path, basename(name))).isDirectory(),
  );
}

function namesIn(path: string): string[] {
  try {
    return fs.readdirSync(path).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
