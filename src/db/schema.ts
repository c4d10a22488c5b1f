/**
 * Tables, named as in madmail so that its databases are easy to bring over.
 * Times are whole seconds since 1970. What could trace a person is kept to the day: midnight UTC of that day.
 */
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** `first_login_at` of an account that was handed out but never used. */
export const NEVER_LOGGED_IN = 1;
/** The row of `quotas` that holds the default of the whole server. */
export const GLOBAL_QUOTA_USER = "__GLOBAL_DEFAULT__";
/** `quotas.max_storage` of an account that may hold any amount, whatever the defaults are. */
export const UNLIMITED_QUOTA = -1;

/** Who may log in. `username` is the whole address, lower case. */
export const passwords = sqliteTable("passwords", {
  username: text("username").primaryKey(),
  /** Any format that auth/hashes.ts reads; new ones are argon2id PHC strings. */
  hash: text("hash").notNull(),
  createdAt: integer("created_at").notNull(),
});

/** What was changed at run time; names in double underscores. */
export const settings = sqliteTable("settings", {
  key: text("key").primaryKey(),
  value: text("value").notNull(),
});

/** One row per account, and `__GLOBAL_DEFAULT__`. */
export const quotas = sqliteTable("quotas", {
  username: text("username").primaryKey(),
  /** Bytes; 0 takes the domain's or the default, -1 is unlimited. */
  maxStorage: integer("max_storage").notNull().default(0),
  createdAt: integer("created_at").notNull().default(0),
  /** Day of the first login; 1 until then. */
  firstLoginAt: integer("first_login_at").notNull().default(NEVER_LOGGED_IN),
  /** Day of the last login; 0 until then. */
  lastLoginAt: integer("last_login_at").notNull().default(0),
  /** The registration token this account came with; counted as used at its first login. */
  usedToken: text("used_token"),
});

/** Addresses that can't log in, register or receive. */
export const blockedUsers = sqliteTable("blocked_users", {
  username: text("username").primaryKey(),
  reason: text("reason").notNull().default(""),
  blockedAt: integer("blocked_at").notNull(),
});

/** Invitations. */
export const registrationTokens = sqliteTable("registration_tokens", {
  token: text("token").primaryKey(),
  maxUses: integer("max_uses").notNull().default(1),
  usedCount: integer("used_count").notNull().default(0),
  comment: text("comment").notNull().default(""),
  /** Null: never. */
  expiresAt: integer("expires_at"),
  createdAt: integer("created_at").notNull(),
});

/** Counters of the whole server. */
export const messageStats = sqliteTable("message_stats", {
  name: text("name").primaryKey(),
  count: integer("count").notNull().default(0),
});

/** Push tokens of users' devices: opaque, encrypted by the client to the notification service. */
export const pushTokens = sqliteTable(
  "push_tokens",
  {
    username: text("username").notNull(),
    deviceToken: text("device_token").notNull(),
    /** Day of the last time the device named it. */
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.username, table.deviceToken] }),
    index("push_tokens_device_token").on(table.deviceToken),
  ],
);

/** Tokens that the notification service has yet to be told. Neither whose they are nor since when is kept. */
export const pushJobs = sqliteTable("push_jobs", { deviceToken: text("device_token").primaryKey() });
/** Servers that the federation policy makes an exception of. `domain` is a peer key: lower case, no brackets. */
export const federationRules = sqliteTable("federation_rules", {
  domain: text("domain").primaryKey(),
  createdAt: integer("created_at").notNull(),
});

/** Servers to which mail is accepted and thrown away. */
export const federationSilentDismiss = sqliteTable("federation_silent_dismiss", {
  domain: text("domain").primaryKey(),
  createdAt: integer("created_at").notNull(),
});

/** Where mail for a domain goes instead of what the DNS says: a host name or a URL. */
export const dnsOverrides = sqliteTable("dns_overrides", {
  lookupKey: text("lookup_key").primaryKey(),
  targetHost: text("target_host").notNull(),
  comment: text("comment").notNull().default(""),
  createdAt: integer("created_at").notNull().default(0),
  updatedAt: integer("updated_at").notNull().default(0),
});

/** What became of mail to and from each server. */
export const federationServerStats = sqliteTable("federation_server_stats", {
  domain: text("domain").primaryKey(),
  failedHttp: integer("failed_http").notNull().default(0),
  failedHttps: integer("failed_https").notNull().default(0),
  failedSmtp: integer("failed_smtp").notNull().default(0),
  successHttp: integer("success_http").notNull().default(0),
  successHttps: integer("success_https").notNull().default(0),
  successSmtp: integer("success_smtp").notNull().default(0),
  inboundDeliveries: integer("inbound_deliveries").notNull().default(0),
  /** Transfers out that ended well; `total_latency_ms` is theirs. */
  successfulDeliveries: integer("successful_deliveries").notNull().default(0),
  totalLatencyMs: integer("total_latency_ms").notNull().default(0),
  lastError: text("last_error").notNull().default(""),
  /** The hour of it: a small server may be one person's. */
  lastActive: integer("last_active").notNull().default(0),
});

/** Relays that hold mail for us until we ask for it. */
export const exchangers = sqliteTable("exchangers", {
  name: text("name").primaryKey(),
  url: text("url").notNull(),
  enabled: integer("enabled", { mode: "boolean" }).notNull().default(true),
  /** Seconds. */
  pollInterval: integer("poll_interval").notNull().default(60),
  lastPollAt: integer("last_poll_at").notNull().default(0),
  createdAt: integer("created_at").notNull().default(0),
  updatedAt: integer("updated_at").notNull().default(0),
});

/** What operators did: which operation, through which face, when. Neither who nor to whom. */
export const auditEvents = sqliteTable("audit_events", {
  id: integer("id").primaryKey({ autoIncrement: true }),
  at: integer("at").notNull(),
  operation: text("operation").notNull(),
  face: text("face").notNull(),
  done: integer("done", { mode: "boolean" }).notNull(),
});

/** What a domain's accounts may hold each, where they have no quota of their own. */
export const domainQuotas = sqliteTable("domain_quotas", {
  domain: text("domain").primaryKey(),
  /** Bytes; 0 is unlimited. */
  maxStorage: integer("max_storage").notNull(),
});

/** Short addresses of the site that lead to a Delta Chat invitation; people make them, knowing that they are public. */
export const contacts = sqliteTable("contacts", {
  /** Lower case letters and digits. */
  slug: text("slug").primaryKey(),
  /** `openpgp4fpr:…`; `reserved` where the operator keeps the name free. */
  url: text("url").notNull(),
  name: text("name").notNull().default(""),
  /** Day on which it was made. */
  createdAt: integer("created_at").notNull(),
});
/** Samples for charts, a ring for each resolution: a slot is written over when its time comes round again. */
export const historySamples = sqliteTable(
  "history_samples",
  {
    /** 0 is the finest. */
    tier: integer("tier").notNull(),
    slot: integer("slot").notNull(),
    /** Begin of the time that the sample is about. */
    startedAt: integer("started_at").notNull(),
    /** A JSON object of numbers. */
    sample: text("sample").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tier, table.slot] })],
);
