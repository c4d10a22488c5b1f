/** How much mail accounts may hold. One rule, in state/quota-book.ts; 0 is unlimited at every level. */
import { z } from "zod";
import { type Address, domainOf } from "../core/address.ts";
import { quotaSource, usageOf, usagesOf } from "./accounts.ts";
import type { OperationContext } from "./context.ts";
import { bytes, count, domain, userAddress, userName } from "./fields.ts";
import { operation, OperationError } from "./operation.ts";

/** An exbibyte, which nobody has; more would not be exact. */
const QUOTA_MAX_BYTES = 2 ** 53 - 1;

const limit = z.int().min(0).max(QUOTA_MAX_BYTES);

const quota = z.strictObject({ user: z.string(), usedBytes: bytes, quotaBytes: bytes, source: quotaSource });

const domainQuota = z.strictObject({
  domain: z.string(),
  usedBytes: bytes,
  quotaBytes: bytes,
  /** False: accounts of this domain have the default. */
  isSet: z.boolean(),
  users: z.array(z.strictObject({ user: z.string(), usedBytes: bytes, quotaOverride: bytes.optional() })),
});

const defaults = z.strictObject({ defaultBytes: bytes });

export const quotaOperations = {
  "quota.get": operation({
    summary: "What an account holds and may hold, and whose word that is",
    permission: "read",
    input: z.strictObject({ user: userName }),
    output: quota,
    run: (context, input) => quotaOf(context, known(context, input.user)),
  }),

  "quota.set": operation({
    summary: "Let an account hold so many bytes; 0 is unlimited",
    permission: "change",
    input: z.strictObject({ user: userName, bytes: limit }),
    output: quota,
    run(context, input) {
      const user = known(context, input.user);
      if (!context.state.accounts.setQuota(user, input.bytes)) throw noAccount(user);
      return quotaOf(context, user);
    },
  }),

  "quota.reset": operation({
    summary: "Let an account hold what its domain or the default says",
    permission: "change",
    input: z.strictObject({ user: userName }),
    output: quota,
    run(context, input) {
      const user = known(context, input.user);
      if (!context.state.accounts.setQuota(user, undefined)) throw noAccount(user);
      return quotaOf(context, user);
    },
  }),

  "quota.summary": operation({
    summary: "What all accounts hold together, and the default",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({
      totalBytes: bytes,
      accounts: count,
      defaultBytes: bytes,
      domains: z.array(z.strictObject({ domain: z.string(), quotaBytes: bytes })),
    }),
    async run(context) {
      const { accounts, quotas } = context.state;
      const users = [...accounts.entries()].map(([user]) => user);
      const usages = await usagesOf(context, users);
      return {
        totalBytes: usages.reduce((sum, { usage }) => sum + usage.bytes, 0),
        accounts: users.length,
        defaultBytes: quotas.defaultBytes,
        domains: [...quotas.domains()].map(([name, quotaBytes]) => ({ domain: name, quotaBytes })),
      };
    },
  }),

  "quota.domain": operation({
    summary: "What each account of a domain may hold, and what they hold",
    permission: "read",
    input: z.strictObject({ domain }),
    output: domainQuota,
    run: (context, input) => ofDomain(context, input.domain),
  }),

  "quota.setDomain": operation({
    summary:
      "Let each account of a domain hold so many bytes, unless it has a quota of its own; 0 is unlimited",
    permission: "change",
    input: z.strictObject({ domain, bytes: limit }),
    output: domainQuota,
    run(context, input) {
      context.state.quotas.setDomain(input.domain, input.bytes);
      return ofDomain(context, input.domain);
    },
  }),

  "quota.resetDomain": operation({
    summary: "Let accounts of a domain hold what the default says",
    permission: "change",
    input: z.strictObject({ domain }),
    output: domainQuota,
    run(context, input) {
      context.state.quotas.setDomain(input.domain, undefined);
      return ofDomain(context, input.domain);
    },
  }),

  "quota.setDefault": operation({
    summary: "Let accounts without another quota hold so many bytes; 0 is unlimited",
    permission: "change",
    input: z.strictObject({ bytes: limit }),
    output: defaults,
    run({ state: { quotas } }, input) {
      quotas.setDefault(input.bytes);
      return { defaultBytes: quotas.defaultBytes };
    },
  }),

  "quota.resetDefault": operation({
    summary: "Take the default of the configuration",
    permission: "change",
    input: z.strictObject({}),
    output: defaults,
    run({ state: { quotas } }) {
      quotas.setDefault(undefined);
      return { defaultBytes: quotas.defaultBytes };
    },
  }),
};

/** An account, or mailboxes without one. @throws {OperationError} */
function known(context: OperationContext, name: string): Address {
  const user = userAddress(context, name);
  if (!context.state.accounts.has(user) && !context.store.exists(user)) throw noAccount(user);
  return user;
}

function noAccount(user: Address): OperationError {
  return new OperationError("notFound", `${user}: there is no such account`);
}

async function quotaOf(context: OperationContext, user: Address): Promise<z.output<typeof quota>> {
  const { bytes: quotaBytes, source } = context.state.accounts.quota(user);
  return { user, usedBytes: (await usageOf(context, user)).bytes, quotaBytes, source };
}

async function ofDomain(
  context: OperationContext,
  name: z.output<typeof domain>,
): Promise<z.output<typeof domainQuota>> {
  const { accounts, quotas } = context.state;
  const users = [...accounts.entries()].flatMap(([user]) => (domainOf(user) === name ? [user] : [])).sort();
  const usages = await usagesOf(context, users);
  const set = quotas.ofDomain(name);
  return {
    domain: name,
    usedBytes: usages.reduce((sum, { usage }) => sum + usage.bytes, 0),
    quotaBytes: set ?? quotas.defaultBytes,
    isSet: set !== undefined,
    users: usages.map(({ user, usage }) => {
      const own = accounts.quota(user);
      return {
        user,
        usedBytes: usage.bytes,
        ...(own.source === "user" ? { quotaOverride: own.bytes } : {}),
      };
    }),
  };
}
