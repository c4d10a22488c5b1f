/**
 * Accounts and tables of a madmail (1 or 2) or maddy, however they are spread over its databases: version 1 has
 * passwords and settings as keys and values in one table, version 2 tables of their own.
 */
import { type Address, parseAddress } from "../core/address.ts";
import type { AccountRow } from "../db/accounts.ts";
import { GLOBAL_QUOTA_USER, NEVER_LOGGED_IN } from "../db/schema.ts";
import { type ForeignDb, type ForeignRow, numberOf, secondsOf, textOf } from "./foreign-db.ts";
import type { DeviceToken, LeftBehind, SourceTables } from "./source.ts";

const DAY_SEC = 86_400;
const SETTING = /^__.*__$/;

export interface ForeignAccounts {
  accounts: Map<Address, { row: AccountRow; tokens: DeviceToken[] }>;
  tables: SourceTables;
}

/** @param todaySec midnight of today: see `toRow` */
export function readMadmailTables(
  dbs: readonly ForeignDb[],
  todaySec: number,
  leave: (left: LeftBehind) => void,
): ForeignAccounts {
  const all = (...names: string[]) => dbs.flatMap((db) => db.rows(...names));
  const settings = new Map<string, string>();
  for (const row of all("settings", "table_entries")) settings.set(textOf(row["key"]), textOf(row["value"]));
  const quotas = new Map(
    all("quotas", "quota").map((row) => [normal(textOf(row["username"])), row] as const),
  );
  const accounts: ForeignAccounts["accounts"] = new Map();
  for (const row of all("passwords")) {
    const name = textOf(row["username"] ?? row["key"]);
    const value = textOf(row["hash"] ?? row["value"]);
    if (SETTING.test(name)) {
      if (!settings.has(name)) settings.set(name, value);
      continue;
    }
    const address = parseAddress(name);
    if (address === undefined) leave({ why: "an account whose name is no address", what: name });
    else if (value === "")
      leave({ why: "an account without a password: nobody could log in", what: address });
    else accounts.set(address, { row: toRow(value, row, quotas.get(address), todaySec), tokens: [] });
  }
  for (const row of all("push_tokens")) {
    const at = secondsOf(row["updated_at"]);
    const token = { token: textOf(row["device_token"]), updatedAtSec: at - (at % DAY_SEC) };
    accounts.get(normal(textOf(row["username"])) as Address)?.tokens.push(token);
  }
  const defaultQuotaBytes = numberOf(quotas.get(GLOBAL_QUOTA_USER)?.["max_storage"]);
  settings.delete("");
  return { accounts, tables: { ...serverTables(all), settings: [...settings], defaultQuotaBytes } };
}

/**
 * Version 2 notes a login once per run only, so its last login may be long past for people who are there every day:
 * who has ever logged in counts as here today, lest expiry takes living accounts.
 */
function toRow(
  hash: string,
  password: ForeignRow,
  quota: ForeignRow | undefined,
  todaySec: number,
): AccountRow {
  const createdAtSec = secondsOf(quota?.["created_at"]) || secondsOf(password["created_at"]) || todaySec;
  const first = secondsOf(quota?.["first_login_at"]);
  const isUnused = quota !== undefined && first === NEVER_LOGGED_IN;
  const usedToken = textOf(quota?.["used_token"]);
  return {
    hash,
    createdAtSec: createdAtSec - (createdAtSec % DAY_SEC),
    firstLoginAtSec: isUnused ? NEVER_LOGGED_IN : first - (first % DAY_SEC) || todaySec,
    lastLoginAtSec: isUnused ? 0 : todaySec,
    quotaBytes: numberOf(quota?.["max_storage"]),
    usedToken: usedToken === "" ? undefined : usedToken,
  };
}

function serverTables(
  all: (...names: string[]) => ForeignRow[],
): Omit<SourceTables, "settings" | "defaultQuotaBytes"> {
  return {
    tokens: all("registration_tokens").map((row) => ({
      token: textOf(row["token"]),
      maxUses: numberOf(row["max_uses"] ?? 1),
      usedCount: numberOf(row["used_count"]),
      comment: textOf(row["comment"]),
      expiresAtSec: secondsOf(row["expires_at"]) || undefined,
      createdAtSec: secondsOf(row["created_at"]),
    })),
    blocked: all("blocked_users").map((row) => ({
      user: normal(textOf(row["username"])) as Address,
      reason: textOf(row["reason"]),
      blockedAtSec: secondsOf(row["blocked_at"]),
    })),
    federationRules: all("federation_rules").map(domainRow),
    dismissed: all("federation_silent_dismiss").map(domainRow),
    overrides: all("dns_overrides").map((row) => ({
      lookupKey: textOf(row["lookup_key"]),
      target: textOf(row["target_host"]),
      comment: textOf(row["comment"]),
      atSec: secondsOf(row["created_at"]),
    })),
    exchangers: all("exchangers").map((row) => ({
      name: textOf(row["name"]),
      url: textOf(row["url"]),
      enabled: numberOf(row["enabled"] ?? 1) !== 0,
      pollIntervalSec: numberOf(row["poll_interval"]) || 60,
      atSec: secondsOf(row["created_at"]),
    })),
    counters: all("message_stats").map((row) => [textOf(row["name"]), numberOf(row["count"])] as const),
  };
}

const domainRow = (row: ForeignRow) => ({
  domain: textOf(row["domain"]),
  createdAtSec: secondsOf(row["created_at"]),
});

const normal = (name: string): string => parseAddress(name) ?? name;
