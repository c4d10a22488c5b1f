/** `madmail quota …`: how much mail accounts may hold. */
import { type CommandDef, defineCommand } from "citty";
import type { OutputOf } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { operate } from "./operate.ts";
import { report, wholeNumber } from "./output.ts";
import { bytesText, plural, quotaBytes, quotaText, userArgument } from "./shown.ts";

const sizeArgument = {
  type: "positional",
  required: true,
  description: "500M, 2G, or unlimited",
} as const;

export function quotaCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: {
      name: "quota",
      description: "How much mail accounts may hold: their own, their domain's, or the default",
    },
    subCommands: {
      status: defineCommand({
        meta: {
          name: "status",
          description: "What all hold together, the default, and domains with their own",
        },
        run: () => summary(globals, "quota status"),
      }),
      list: defineCommand({
        meta: { name: "list", description: "Accounts by what they hold, fullest first" },
        args: { limit: { type: "string", description: "At most so many; default 100" } },
        run: ({ args }) => listQuotas(globals, "quota list", args.limit),
      }),
      get: defineCommand({
        meta: { name: "get", description: "What an account holds and may hold" },
        args: { user: userArgument },
        run: ({ args }) => getQuota(globals, "quota get", args.user),
      }),
      set: defineCommand({
        meta: { name: "set", description: "Let an account hold so much" },
        args: { user: userArgument, size: sizeArgument },
        run: ({ args }) => setQuota(globals, "quota set", args.user, args.size),
      }),
      reset: defineCommand({
        meta: { name: "reset", description: "Let an account hold what its domain or the default says" },
        args: { user: userArgument },
        run: ({ args }) => resetQuota(globals, "quota reset", args.user),
      }),
      domain: domainCommand(globals),
      default: defaultCommand(globals),
    },
    default: "status",
  });
}

function domainCommand(globals: Globals): CommandDef {
  const domain = { type: "positional", required: true, description: "A mail domain" } as const;
  return defineCommand({
    meta: { name: "domain", description: "What each account of a domain may hold" },
    subCommands: {
      get: defineCommand({
        meta: { name: "get", description: "What each may hold, and what they hold" },
        args: { domain },
        async run({ args }) {
          const data = await operate(globals, (caller) =>
            caller.call("quota.domain", { domain: args.domain }),
          );
          report(globals, "quota domain get", domainText(data), data);
        },
      }),
      set: defineCommand({
        meta: { name: "set", description: "Let each account without a quota of its own hold so much" },
        args: { domain, size: sizeArgument },
        async run({ args }) {
          const input = { domain: args.domain, bytes: quotaBytes(args.size) };
          const data = await operate(globals, (caller) => caller.call("quota.setDomain", input));
          report(globals, "quota domain set", domainText(data), data);
        },
      }),
      reset: defineCommand({
        meta: { name: "reset", description: "Let its accounts hold what the default says" },
        args: { domain },
        async run({ args }) {
          const data = await operate(globals, (caller) =>
            caller.call("quota.resetDomain", { domain: args.domain }),
          );
          report(globals, "quota domain reset", domainText(data), data);
        },
      }),
    },
  });
}

function defaultCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: { name: "default", description: "What accounts without another quota may hold" },
    subCommands: {
      get: defineCommand({
        meta: { name: "get", description: "How much that is" },
        async run() {
          const { defaultBytes } = await operate(globals, (caller) => caller.call("quota.summary", {}));
          report(globals, "quota default get", `default ${quotaText(defaultBytes)}`, { defaultBytes });
        },
      }),
      set: defineCommand({
        meta: { name: "set", description: "Let them hold so much" },
        args: { size: sizeArgument },
        run: ({ args }) => setDefault(globals, "quota default set", args.size),
      }),
      reset: defineCommand({
        meta: { name: "reset", description: "Take the default of the configuration" },
        async run() {
          const data = await operate(globals, (caller) => caller.call("quota.resetDefault", {}));
          report(globals, "quota default reset", `default ${quotaText(data.defaultBytes)}`, data);
        },
      }),
    },
  });
}

async function summary(globals: Globals, command: string): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("quota.summary", {}));
  const lines = [
    `${plural(data.accounts, "account")} hold ${bytesText(data.totalBytes)}`,
    `default           ${quotaText(data.defaultBytes)}`,
    ...data.domains.map(({ domain, quotaBytes: bytes }) => `${domain.padEnd(17)} ${quotaText(bytes)}`),
  ];
  report(globals, command, lines.join("\n"), data);
}

export async function listQuotas(
  globals: Globals,
  command: string,
  limit: string | undefined,
): Promise<void> {
  const input = {
    sort: "used" as const,
    descending: true,
    limit: limit === undefined ? undefined : wholeNumber("--limit", limit, 1),
  };
  const data = await operate(globals, (caller) => caller.call("accounts.list", input));
  const lines = data.accounts.map(
    ({ user, usedBytes, quotaBytes: bytes, quotaSource }) =>
      `${user.padEnd(36)} ${bytesText(usedBytes).padStart(10)} of ${quotaText(bytes)} (${quotaSource})`,
  );
  report(globals, command, lines.length > 0 ? lines.join("\n") : "no account", data);
}

export async function getQuota(globals: Globals, command: string, user: string): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("quota.get", { user }));
  report(globals, command, userText(data), data);
}

export async function setQuota(globals: Globals, command: string, user: string, size: string): Promise<void> {
  const input = { user, bytes: quotaBytes(size) };
  const data = await operate(globals, (caller) => caller.call("quota.set", input));
  report(globals, command, userText(data), data);
}

export async function resetQuota(globals: Globals, command: string, user: string): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("quota.reset", { user }));
  report(globals, command, userText(data), data);
}

export async function setDefault(globals: Globals, command: string, size: string): Promise<void> {
  const input = { bytes: quotaBytes(size) };
  const data = await operate(globals, (caller) => caller.call("quota.setDefault", input));
  report(globals, command, `default ${quotaText(data.defaultBytes)}`, data);
}

function userText({ user, usedBytes, quotaBytes: bytes, source }: OutputOf<"quota.get">): string {
  return `${user} holds ${bytesText(usedBytes)} of ${quotaText(bytes)} (${source})`;
}

function domainText({
  domain,
  usedBytes,
  quotaBytes: bytes,
  isSet,
  users,
}: OutputOf<"quota.domain">): string {
  const each = `each account of ${domain} may hold ${quotaText(bytes)}${isSet ? "" : " (the default)"}`;
  const own = users.flatMap(({ user, quotaOverride }) =>
    quotaOverride === undefined ? [] : [`  ${user.padEnd(34)} ${quotaText(quotaOverride)}`],
  );
  return [each, `${plural(users.length, "account")} hold ${bytesText(usedBytes)}`, ...own].join("\n");
}
