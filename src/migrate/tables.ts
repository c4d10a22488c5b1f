/** Rows of the source into the tables here. What is here already stays: an import never overwrites. */
import { parseAddress } from "../core/address.ts";
import { peerKey } from "../core/peer-key.ts";
import { type Db, inTransaction } from "../db/open.ts";
import {
  blockedUsers,
  dnsOverrides,
  exchangers,
  federationRules,
  federationSilentDismiss,
  GLOBAL_QUOTA_USER,
  messageStats,
  pushTokens,
  quotas,
  registrationTokens,
  settings,
} from "../db/schema.ts";
import type { LeftBehind, SourceAccount, SourceTables } from "./source.ts";

const SETTING = /^__[A-Z0-9_]{1,60}__$/;
const SETTING_MAX_LENGTH = 8192;

/** All or nothing. */
export function takeTables(db: Db, tables: SourceTables, leave: (left: LeftBehind) => void): void {
  inTransaction(db, () => {
    for (const [key, value] of tables.settings) {
      if (!SETTING.test(key) || value.length > SETTING_MAX_LENGTH) {
        leave({ why: "a setting that no madmail knows", what: key.slice(0, 80) });
      } else db.insert(settings).values({ key, value }).onConflictDoNothing().run();
    }
    if (tables.defaultQuotaBytes > 0) {
      const row = { username: GLOBAL_QUOTA_USER, maxStorage: tables.defaultQuotaBytes };
      db.insert(quotas).values(row).onConflictDoNothing().run();
    }
    for (const { expiresAtSec, createdAtSec, ...token } of tables.tokens) {
      const row = { ...token, expiresAt: expiresAtSec ?? null, createdAt: createdAtSec };
      db.insert(registrationTokens).values(row).onConflictDoNothing().run();
    }
    for (const { user, reason, blockedAtSec } of tables.blocked) {
      const row = { username: parseAddress(user) ?? user, reason, blockedAt: blockedAtSec };
      db.insert(blockedUsers).values(row).onConflictDoNothing().run();
    }
    takeFederation(db, tables, leave);
    for (const [name, count] of tables.counters) {
      db.insert(messageStats).values({ name, count }).onConflictDoNothing().run();
    }
  });
}

function takeFederation(db: Db, tables: SourceTables, leave: (left: LeftBehind) => void): void {
  const lists = [
    [federationRules, tables.federationRules],
    [federationSilentDismiss, tables.dismissed],
  ] as const;
  for (const [table, rows] of lists) {
    for (const { domain, createdAtSec } of rows) {
      const peer = peerKey(domain);
      if (peer === undefined) leave({ why: "a federation rule for what is no domain", what: domain });
      else db.insert(table).values({ domain: peer, createdAt: createdAtSec }).onConflictDoNothing().run();
    }
  }
  for (const { lookupKey, target, comment, atSec } of tables.overrides) {
    const row = { lookupKey: lookupKey.toLowerCase(), targetHost: target, comment };
    db.insert(dnsOverrides)
      .values({ ...row, createdAt: atSec, updatedAt: atSec })
      .onConflictDoNothing()
      .run();
  }
  for (const { name, url, enabled, pollIntervalSec, atSec } of tables.exchangers) {
    const row = { name, url, enabled, pollInterval: pollIntervalSec };
    db.insert(exchangers)
      .values({ ...row, createdAt: atSec, updatedAt: atSec })
      .onConflictDoNothing()
      .run();
  }
}

export function takeTokens(db: Db, { address, tokens }: SourceAccount): void {
  if (tokens.length === 0) return;
  inTransaction(db, () => {
    for (const { token, updatedAtSec } of tokens) {
      const row = { username: address, deviceToken: token, updatedAt: updatedAtSec };
      db.insert(pushTokens).values(row).onConflictDoNothing().run();
    }
  });
}
