/** Accounts, blocklist, quotas, registration and its tokens, notices, mail to throw away: as panels of madmail ask for them. */
import { z } from "zod";
import { OperationError } from "../../operations/operation.ts";
import { type AdminCall, type AdminResource, change, ok } from "./resource.ts";

const LIST_ALL = 1_000_000;
const username = z.object({ username: z.string().trim().min(1, "username is required") });
const DELETED_REASON = "deleted via admin panel";

const accountsPatch = z.discriminatedUnion("action", [
  z.object({ action: z.literal("export") }),
  z.object({
    action: z.literal("import"),
    users: z
      .array(z.object({ username: z.string(), password: z.string().optional(), hash: z.string().optional() }))
      .min(1, "users is required"),
  }),
  z.object({ action: z.literal("delete_all") }),
]);

const accounts: AdminResource = {
  methods: {
    async GET({ operations }) {
      const { accounts: list, total } = await operations.call("accounts.list", { limit: LIST_ALL });
      return ok({
        accounts: list.map((account) => ({
          username: account.user,
          used_bytes: account.usedBytes,
          max_bytes: account.quotaBytes,
          is_default_quota: account.quotaSource !== "user",
          created_at: account.createdAtSec,
          first_login_at: account.firstLoginAtSec,
          last_login_at: account.lastLoginAtSec,
        })),
        total,
      });
    },
    POST: change(async ({ operations }) => {
      const { address, password } = await operations.call("accounts.createRandom", {});
      return { status: 201, body: { email: address, password } };
    }),
    DELETE: change(async ({ operations, body }) => {
      const user = username.parse(body ?? {}).username;
      const { address, blocked } = await operations.call("accounts.delete", { user, reason: DELETED_REASON });
      return ok({ deleted: address, blocked, reason: DELETED_REASON });
    }),
    PATCH: change(async ({ operations, body }) => {
      const patch = accountsPatch.parse(body ?? {});
      if (patch.action === "export") {
        const { users } = await operations.call("accounts.export", {});
        return ok({ users, total: users.length });
      }
      if (patch.action === "import") {
        const { imported, skipped, errors } = await operations.call("accounts.import", {
          users: patch.users,
        });
        return ok({ imported, skipped, ...(errors.length > 0 ? { errors } : {}) });
      }
      return ok(await operations.call("accounts.deleteAll", { reason: "bulk delete via admin" }));
    }),
  },
};

const blocklist: AdminResource = {
  methods: {
    async GET({ operations }) {
      const { blocked, total } = await operations.call("blocklist.list", {});
      const rows = blocked.map((row) => ({
        username: row.user,
        reason: row.reason,
        blocked_at: row.blockedAtSec,
      }));
      return ok({ blocked: rows, total });
    },
    POST: change(async ({ operations, body }) => {
      const input = username.extend({ reason: z.string().optional() }).parse(body ?? {});
      const reason = input.reason === "" ? undefined : input.reason;
      return ok({
        blocked: (await operations.call("blocklist.add", { user: input.username, reason })).address,
      });
    }),
    DELETE: change(async ({ operations, body }) => {
      const user = username.parse(body ?? {}).username;
      return ok({ unblocked: (await operations.call("blocklist.remove", { user })).address });
    }),
    PATCH: change(async ({ operations, body }) => {
      z.object({ action: z.literal("delete_all") }).parse(body ?? {});
      return ok({ unblocked: (await operations.call("blocklist.clear", {})).removed });
    }),
  },
};

const quotaPut = z
  .object({
    username: z.string().optional(),
    max_bytes: z.int().min(0).optional(),
    /** What the Go version called the default. */
    default_quota: z.int().min(0).optional(),
  })
  .refine(
    ({ max_bytes, default_quota }) => max_bytes !== undefined || default_quota !== undefined,
    "max_bytes is required",
  );

const quota: AdminResource = {
  methods: {
    async GET({ operations, body }) {
      const asked = z.object({ username: z.string().optional() }).parse(body ?? {}).username ?? "";
      if (asked === "") {
        const {
          totalBytes,
          accounts: accountsCount,
          defaultBytes,
        } = await operations.call("quota.summary", {});
        return ok({
          total_storage_bytes: totalBytes,
          accounts_count: accountsCount,
          default_quota_bytes: defaultBytes,
        });
      }
      const found = await operations.call("quota.get", { user: asked });
      return ok({
        username: found.user,
        used_bytes: found.usedBytes,
        max_bytes: found.quotaBytes,
        is_default: found.source !== "user",
      });
    },
    PUT: change(async ({ operations, body }) => {
      const { username: user = "", max_bytes: max, default_quota: fallback } = quotaPut.parse(body ?? {});
      const bytes = max ?? fallback ?? 0;
      if (user === "") {
        await operations.call("quota.setDefault", { bytes });
        return ok({ username: "", max_bytes: bytes });
      }
      const set = await operations.call("quota.set", { user, bytes });
      return ok({ username: set.user, max_bytes: set.quotaBytes });
    }),
    DELETE: change(async ({ operations, body }) => {
      const user = username.parse(body ?? {}).username;
      return ok({ reset: (await operations.call("quota.reset", { user })).user });
    }),
  },
};

const registration: AdminResource = {
  methods: {
    GET: async (call) => ok(await registrationStatus(call)),
    POST: change(async (call) => {
      const action = actionOf(call.body, ["open", "close"]);
      await call.operations.call("registration.set", { open: action === "open" });
      return ok(await registrationStatus(call));
    }),
  },
};

async function registrationStatus({ operations }: AdminCall) {
  return { status: (await operations.call("registration.get", {})).open ? "open" : "closed" };
}

const jit: AdminResource = {
  methods: {
    GET: async (call) => ok(await jitStatus(call)),
    POST: change(async (call) => {
      const action = actionOf(call.body, ["enable", "disable"]);
      await call.operations.call("registration.set", { jit: action === "enable" });
      return ok(await jitStatus(call));
    }),
  },
};

async function jitStatus({ operations }: AdminCall) {
  return { status: (await operations.call("registration.get", {})).jit ? "enabled" : "disabled" };
}

const tokenPost = z.object({
  token: z.string().optional(),
  max_uses: z.int().optional(),
  comment: z.string().optional(),
  expires_in: z.union([z.string(), z.number()]).optional(),
  expires_at: z.union([z.string(), z.int()]).nullish(),
});

const registrationToken: AdminResource = {
  methods: {
    async GET({ operations }) {
      const { tokens, total } = await operations.call("tokens.list", {});
      const rows = tokens.map((token) => ({
        token: token.token,
        max_uses: token.maxUses,
        used_count: token.usedCount,
        pending_reservations: token.pending,
        comment: token.comment,
        created_at: token.createdAtSec,
        expires_at: token.expiresAtSec,
        status: token.status,
      }));
      return ok({ tokens: rows, total });
    },
    POST: change(async ({ operations, body }) => {
      const input = tokenPost.parse(body ?? {});
      const made = await operations.call("tokens.create", {
        token: input.token === "" ? undefined : input.token,
        // What is no number of uses is one use, as panels expect.
        maxUses: Math.max(1, input.max_uses ?? 1),
        comment: input.comment,
        expiresIn: input.expires_in === undefined ? undefined : String(input.expires_in),
        expiresAt: secondsOf(input.expires_at),
      });
      const { token, maxUses, comment, expiresAtSec, created, status } = made;
      const rendered = { token, max_uses: maxUses, comment, expires_at: expiresAtSec, status };
      return { status: created ? 201 : 200, body: rendered };
    }),
    DELETE: change(async ({ operations, body }) => {
      const { token } = z.object({ token: z.string().trim().min(1, "token is required") }).parse(body ?? {});
      return ok({ deleted: (await operations.call("tokens.remove", { token })).token });
    }),
  },
};

/** A time in seconds, or as RFC 3339. */
function secondsOf(value: string | number | null | undefined): number | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const seconds = typeof value === "number" ? value : Math.floor(Date.parse(value) / 1000);
  if (!Number.isFinite(seconds))
    throw new OperationError("invalid", `expires_at: expected a time, found ${value}`);
  return seconds;
}

const notice: AdminResource = {
  methods: {
    async GET({ operations }) {
      const { totalUsers, domain } = await operations.call("notices.audience", {});
      return ok({ total_users: totalUsers, domain });
    },
    POST: change(async ({ operations, body }) => {
      const input = z
        .object({ subject: z.string(), body: z.string(), recipient: z.string().optional() })
        .parse(body ?? {});
      const user = input.recipient?.trim() === "" ? undefined : input.recipient;
      const { sent, failed, errors } = await operations.call("notices.send", {
        subject: input.subject,
        body: input.body,
        user,
      });
      const status = sent === 0 && failed > 0 ? 500 : 200;
      return { status, body: { sent, failed, ...(errors.length > 0 ? { errors } : {}) } };
    }),
  },
};

const purges = {
  purge_user: { what: "user" },
  purge_all: { what: "all" },
  purge_read: { what: "read" },
  purge_older: { what: "unreadOlder" },
  // Bodies live in mailboxes here: what the others keep apart goes with its messages.
  purge_blobs: { what: "all" },
  purge_read_blobs: { what: "read" },
  purge_blobs_older: { what: "older" },
} as const;

const queuePost = z.object({
  action: z.enum([...(Object.keys(purges) as (keyof typeof purges)[]), "purge_queue"]),
  username: z.string().optional(),
  retention: z.string().optional(),
});

const queue: AdminResource = {
  methods: {
    POST: change(async ({ operations, body }) => {
      const { action, username: user, retention } = queuePost.parse(body ?? {});
      if (action === "purge_queue") {
        const { count } = await operations.call("queue.remove", { what: "all" });
        return ok({ action, message: `${count} messages dropped`, deleted: count });
      }
      const { messages } = await operations.call("mail.purge", {
        what: purges[action].what,
        user,
        olderThan: retention,
      });
      return ok({ action, message: `${messages} messages deleted`, deleted: messages });
    }),
  },
};

/** @throws {OperationError} in the words of the peers */
export function actionOf<const A extends string>(body: unknown, allowed: readonly A[]): A {
  const found = z.object({ action: z.string().default("") }).safeParse(body ?? {});
  const action = found.success ? found.data.action : "";
  const match = allowed.find((each) => each === action);
  if (match !== undefined) return match;
  throw new OperationError("invalid", `invalid action: ${action} (expected ${allowed.join("|")})`);
}

export const accountResources: Record<string, AdminResource> = {
  "/admin/accounts": accounts,
  "/admin/blocklist": blocklist,
  "/admin/quota": quota,
  "/admin/registration": registration,
  "/admin/registration/jit": jit,
  "/admin/registration-token": registrationToken,
  "/admin/notice": notice,
  "/admin/queue": queue,
};
