/** State directories of madmail 1 and 2 as their own programs leave them, made by hand. */
import { Database } from "bun:sqlite";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export function write(path: string, bytes: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

/** madmail's default format. */
function madmailHash(password: string): string {
  const salt = Buffer.alloc(32, 7);
  const digest = new Bun.CryptoHasher("sha256").update(salt).update(password).digest("base64");
  return `sha256:${salt.toString("base64")}:${digest}`;
}

function database(path: string, statements: readonly (readonly [sql: string, ...values: unknown[]])[]): void {
  mkdirSync(dirname(path), { recursive: true });
  const db = new Database(path, { create: true });
  for (const [sql, ...values] of statements) db.query(sql).run(...(values as string[]));
  db.close();
}

const sharedTables = [
  [
    "CREATE TABLE quotas (username TEXT PRIMARY KEY, max_storage INTEGER, created_at INTEGER, first_login_at INTEGER, last_login_at INTEGER, used_token TEXT)",
  ],
  ["CREATE TABLE blocked_users (username TEXT PRIMARY KEY, reason TEXT, blocked_at TIMESTAMP)"],
  [
    "CREATE TABLE registration_tokens (token TEXT PRIMARY KEY, max_uses INTEGER, used_count INTEGER, comment TEXT, expires_at TIMESTAMP, created_at TIMESTAMP)",
  ],
  ["CREATE TABLE federation_rules (id INTEGER PRIMARY KEY, domain TEXT UNIQUE, created_at INTEGER)"],
  [
    "CREATE TABLE dns_overrides (lookup_key TEXT PRIMARY KEY, target_host TEXT, comment TEXT, created_at INTEGER, updated_at INTEGER)",
  ],
  ["INSERT INTO quotas VALUES ('__GLOBAL_DEFAULT__', 1000000000, 0, 0, 0, NULL)"],
  ["INSERT INTO blocked_users VALUES ('EVE12345@relay.test', 'spam', '2026-01-02 03:04:05.123456789+00:00')"],
  ["INSERT INTO registration_tokens VALUES ('invite', 5, 2, 'friends', '2030-01-01 00:00:00', 1767225600)"],
  ["INSERT INTO federation_rules VALUES (1, '[192.0.2.7]', 1767225600)"],
  ["INSERT INTO dns_overrides VALUES ('peer.test', 'https://mail.peer.test', 'note', 1, 2)"],
] as const;

/** The application database of version 2. */
export function madmail2Database(
  path: string,
  users: readonly (readonly [address: string, password: string])[],
): void {
  database(path, [
    ...sharedTables,
    ["CREATE TABLE passwords (username TEXT PRIMARY KEY, hash TEXT, created_at INTEGER)"],
    ["CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT)"],
    [
      "CREATE TABLE push_tokens (username TEXT, device_token TEXT, updated_at TIMESTAMP, PRIMARY KEY (username, device_token))",
    ],
    ["INSERT INTO settings VALUES ('__REGISTRATION_OPEN__', 'false'), ('__LANGUAGE__', 'fa')"],
    ...users.flatMap(([address, password]) => [
      ["INSERT INTO passwords VALUES (?1, ?2, 1767225600)", address, madmailHash(password)] as const,
      [
        "INSERT INTO quotas VALUES (?1, 5000000, 1767225600, 1767225600, 1767225600, 'invite')",
        address,
      ] as const,
      [
        "INSERT INTO push_tokens VALUES (?1, 'openpgp:abc', ?2)",
        address,
        Math.floor(Date.now() / 1000),
      ] as const,
    ]),
  ]);
}

/** Passwords and settings of version 1, in one table. */
export function madmail1Credentials(
  path: string,
  users: readonly (readonly [address: string, password: string])[],
): void {
  database(path, [
    ["CREATE TABLE passwords (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL)"],
    ["INSERT INTO passwords VALUES ('__REGISTRATION_OPEN__', 'true')"],
    ...users.map(
      ([address, password]) =>
        ["INSERT INTO passwords VALUES (?1, ?2)", address, madmailHash(password)] as const,
    ),
  ]);
}

export interface IndexedMessage {
  mailbox: string;
  uid: number;
  dateSec: number;
  flags: readonly string[];
  key: string;
  bodyLen: number;
}

/** The message index of version 1 for one user. */
export function imapsql(
  path: string,
  user: string,
  mailboxes: readonly (readonly [name: string, uidValidity: number, uidNext: number])[],
  messages: readonly IndexedMessage[],
): void {
  const id = (name: string) => mailboxes.findIndex(([each]) => each === name) + 1;
  database(path, [
    ...sharedTables,
    [
      "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, username VARCHAR(255) NOT NULL UNIQUE, msgsizelimit INTEGER, inboxId BIGINT)",
    ],
    [
      "CREATE TABLE mboxes (id INTEGER PRIMARY KEY AUTOINCREMENT, uid INTEGER NOT NULL REFERENCES users(id), name VARCHAR(255) NOT NULL, sub INTEGER DEFAULT 0, mark INTEGER DEFAULT 0, msgsizelimit INTEGER, uidnext INTEGER DEFAULT 1, uidvalidity BIGINT NOT NULL, specialuse VARCHAR(255), msgsCount INTEGER DEFAULT 0)",
    ],
    ["CREATE TABLE extKeys (id VARCHAR(255) PRIMARY KEY, uid BIGINT, refs INTEGER DEFAULT 1)"],
    [
      "CREATE TABLE msgs (mboxId BIGINT, msgId BIGINT, date BIGINT, bodyLen INTEGER, mark INTEGER DEFAULT 0, bodyStructure LONGTEXT, cachedHeader LONGTEXT, extBodyKey VARCHAR(255), seen INTEGER DEFAULT 0, compressAlgo VARCHAR(255), recent INTEGER DEFAULT 1, PRIMARY KEY (mboxId, msgId))",
    ],
    ["CREATE TABLE flags (mboxId BIGINT, msgId BIGINT, flag VARCHAR(255), UNIQUE (mboxId, msgId, flag))"],
    ["INSERT INTO users (username) VALUES (?1)", user],
    ...mailboxes.map(
      ([name, validity, next]) =>
        [
          "INSERT INTO mboxes (uid, name, uidvalidity, uidnext, sub) VALUES (1, ?1, ?2, ?3, 1)",
          name,
          validity,
          next,
        ] as const,
    ),
    ...messages.flatMap(({ mailbox, uid, dateSec, flags, key, bodyLen }) => [
      [
        "INSERT INTO msgs (mboxId, msgId, date, bodyLen, bodyStructure, cachedHeader, extBodyKey, seen) VALUES (?1, ?2, ?3, ?4, '', '', ?5, ?6)",
        id(mailbox),
        uid,
        dateSec,
        bodyLen,
        key,
        flags.includes("\\Seen") ? 1 : 0,
      ] as const,
      ...flags.map((flag) => ["INSERT INTO flags VALUES (?1, ?2, ?3)", id(mailbox), uid, flag] as const),
    ]),
  ]);
}
