/** The endpoints: users, their mailbox accounts, quotas of users and domains. Logins and mailboxes live apart. */
import { z } from "zod";
import { OperationError } from "../../operations/operation.ts";
import type { Caller } from "../../operations/operations.ts";
import { type RestReply, type RestRoute, route } from "./route.ts";

const LIST_ALL = 1_000_000;

const email = z.string().regex(/^[^\s@]+@[^\s@]+$/, "username must be an e-mail address");
const quotaBody = z.object({ quotaBytes: z.int().min(0) });
const mailboxFigures = z.object({ name: z.string(), messageCount: z.int(), usedBytes: z.int() });

const done: RestReply = { status: 200 };
const made: RestReply = { status: 201 };
const absent: RestReply = { status: 404 };

const users: RestRoute[] = [
  route({
    method: "post",
    path: "/v1/users",
    summary: "Make a login, and mailboxes if asked for; without a password one is set that nobody knows",
    body: z.object({
      username: email,
      password: z.string().optional(),
      createMailboxes: z.boolean().default(false),
    }),
    success: 201,
    refusals: [400, 409],
    async handle({ operations, body: { username, password, createMailboxes } }) {
      const asked = password === undefined || password === "" ? {} : { password };
      await operations.call("accounts.create", { user: username, ...asked });
      if (createMailboxes) await operations.call("mailboxes.provision", { user: username });
      return made;
    },
  }),
  route({
    method: "get",
    path: "/v1/users",
    summary: "Names of all logins, or of those of one domain",
    query: z.object({ domain: z.string().optional() }),
    response: z.array(z.string()),
    success: 200,
    refusals: [],
    async handle({ operations, query: { domain = "" } }) {
      const { accounts } = await operations.call("accounts.list", { limit: LIST_ALL });
      const suffix = domain === "" ? "" : `@${domain.toLowerCase()}`;
      return { status: 200, body: accounts.flatMap(({ user }) => (user.endsWith(suffix) ? [user] : [])) };
    },
  }),
  route({
    method: "get",
    path: "/v1/users/:id",
    summary: "Whether there is such a login",
    response: z.object({ username: z.string() }),
    success: 200,
    refusals: [404],
    async handle({ operations, params }) {
      const user = await login(operations, params["id"]);
      return user === undefined ? absent : { status: 200, body: { username: user } };
    },
  }),
  route({
    method: "post",
    path: "/v1/users/:id/password",
    summary: "Set a password; sessions end",
    body: z.object({ password: z.string().min(1, "password is required") }),
    success: 200,
    refusals: [400, 404],
    async handle({ operations, params, body: { password } }) {
      await operations.call("accounts.setPassword", { user: params["id"] ?? "", password });
      return done;
    },
  }),
  route({
    method: "delete",
    path: "/v1/users/:id",
    summary: "Take a login away; its mailboxes stay unless delete_mailbox is true",
    query: z.object({ delete_mailbox: z.string().optional() }),
    success: 200,
    refusals: [404],
    async handle({ operations, params, query }) {
      const user = await login(operations, params["id"]);
      if (user === undefined) return absent;
      const keepMail = query.delete_mailbox !== "true";
      await operations.call("accounts.delete", { user, keepMail, block: false });
      return done;
    },
  }),
];

const mailboxes: RestRoute[] = [
  route({
    method: "post",
    path: "/v1/users/:id/mailboxes",
    summary: "Make INBOX, Sent, Trash, Junk, Drafts and Archive; no login is needed",
    success: 201,
    refusals: [400, 409],
    async handle({ operations, params }) {
      const user = params["id"] ?? "";
      if ((await mailboxesOf(operations, user)) !== undefined) {
        throw new OperationError("conflict", `${user} has mailboxes already`);
      }
      await operations.call("mailboxes.provision", { user });
      return made;
    },
  }),
  route({
    method: "delete",
    path: "/v1/users/:id/mailboxes",
    summary: "Take all mailboxes away; the login stays",
    success: 200,
    refusals: [404],
    async handle({ operations, params }) {
      await operations.call("mailboxes.removeAll", { user: params["id"] ?? "" });
      return done;
    },
  }),
];

const userQuotas: RestRoute[] = [
  route({
    method: "get",
    path: "/v1/users/:id/quota",
    summary: "What a user holds and may hold, and whose word that is",
    response: z.object({
      username: z.string(),
      usedBytes: z.int(),
      quotaBytes: z.int(),
      quotaSource: z.enum(["user", "domain", "default", "none"]),
      mailboxes: z.array(mailboxFigures),
    }),
    success: 200,
    refusals: [404],
    async handle({ operations, params }) {
      const found = await mailboxesOf(operations, params["id"] ?? "");
      if (found === undefined) return absent;
      const quota = await operations.call("quota.get", { user: found.user });
      const figures = found.mailboxes
        .map(({ name, messages, bytes }) => ({ name, messageCount: messages, usedBytes: bytes }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
      const { usedBytes, quotaBytes, source: quotaSource } = quota;
      return {
        status: 200,
        body: { username: found.user, usedBytes, quotaBytes, quotaSource, mailboxes: figures },
      };
    },
  }),
  route({
    method: "put",
    path: "/v1/users/:id/quota",
    summary: "Let a user hold so many bytes; 0 is unlimited",
    body: quotaBody,
    success: 200,
    refusals: [400, 404],
    async handle({ operations, params, body: { quotaBytes } }) {
      const found = await mailboxesOf(operations, params["id"] ?? "");
      if (found === undefined) return absent;
      await operations.call("quota.set", { user: found.user, bytes: quotaBytes });
      return done;
    },
  }),
  route({
    method: "delete",
    path: "/v1/users/:id/quota",
    summary: "Let a user hold what the domain or the default says",
    success: 200,
    refusals: [404],
    async handle({ operations, params }) {
      await operations.call("quota.reset", { user: params["id"] ?? "" });
      return done;
    },
  }),
];

const domainQuotas: RestRoute[] = [
  route({
    method: "get",
    path: "/v1/domains/:domain/quota",
    summary: "What each user of a domain may hold, and what they hold",
    response: z.object({
      domain: z.string(),
      usedBytes: z.int(),
      quotaBytes: z.int(),
      userCount: z.int(),
      users: z.array(
        z.object({ username: z.string(), usedBytes: z.int(), quotaOverride: z.int().optional() }),
      ),
    }),
    success: 200,
    refusals: [400],
    async handle({ operations, params }) {
      const found = await operations.call("quota.domain", { domain: params["domain"] ?? "" });
      const { domain, usedBytes, quotaBytes, isSet, users: list } = found;
      const named = list.map(({ user, ...rest }) => ({ username: user, ...rest }));
      // The server's default is not the domain's word.
      const ownBytes = isSet ? quotaBytes : 0;
      return {
        status: 200,
        body: { domain, usedBytes, quotaBytes: ownBytes, userCount: named.length, users: named },
      };
    },
  }),
  route({
    method: "put",
    path: "/v1/domains/:domain/quota",
    summary: "Let each user of a domain hold so many bytes; 0 is unlimited",
    body: quotaBody,
    success: 200,
    refusals: [400],
    async handle({ operations, params, body: { quotaBytes } }) {
      await operations.call("quota.setDomain", { domain: params["domain"] ?? "", bytes: quotaBytes });
      return done;
    },
  }),
  route({
    method: "delete",
    path: "/v1/domains/:domain/quota",
    summary: "Let users of a domain hold what the default says",
    success: 200,
    refusals: [400],
    async handle({ operations, params }) {
      await operations.call("quota.resetDomain", { domain: params["domain"] ?? "" });
      return done;
    },
  }),
];

export const restRoutes: readonly RestRoute[] = [...users, ...mailboxes, ...userQuotas, ...domainQuotas];

/** @returns the login's name, or undefined where there is none */
async function login(operations: Caller, name = ""): Promise<string | undefined> {
  const info = await found(() => operations.call("accounts.info", { user: name }));
  return info?.exists === true ? info.user : undefined;
}

/** @returns undefined where an address has no mailboxes */
function mailboxesOf(operations: Caller, user: string) {
  return found(() => operations.call("mailboxes.list", { user }));
}

/** What is not there is no fault here. */
async function found<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof OperationError && error.fault === "notFound") return undefined;
    throw error;
  }
}
