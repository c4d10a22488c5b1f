/** `madmail accounts …`. */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { type CommandDef, defineCommand } from "citty";
import { z } from "zod";
import { parseJson } from "../core/json.ts";
import type { InputOf, OutputOf } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { confirmed, operate, progressBar } from "./operate.ts";
import { CommandError, report, wholeNumber } from "./output.ts";
import {
  bytesText,
  dayText,
  passwordOption,
  plural,
  qrText,
  quotaText,
  secretOf,
  timeText,
  userArgument,
  yes,
} from "./shown.ts";

const OWNER_ONLY = 0o600;

const importFile = z.union([
  z.array(z.unknown()),
  z.object({ users: z.array(z.unknown()) }).transform(({ users }) => users),
]);
const importedUser = z.object({
  username: z.string(),
  password: z.string().optional(),
  hash: z.string().optional(),
});

export function accountsCommand(globals: Globals): CommandDef {
  const user = userArgument;
  return defineCommand({
    meta: { name: "accounts", description: "See, make, change and take away accounts" },
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "How many there are, and whether anybody can have another" },
        run: () => status(globals),
      }),
      list: listCommand(globals),
      info: defineCommand({
        meta: { name: "info", description: "All there is to know about one" },
        args: { user },
        run: ({ args }) => info(globals, args.user),
      }),
      create: defineCommand({
        meta: {
          name: "create",
          description: "Make one, also while registration is closed; its link as a QR code",
        },
        args: { user, password: passwordOption },
        run: ({ args }) => create(globals, "accounts create", args.user, args.password),
      }),
      "create-random": defineCommand({
        meta: { name: "create-random", description: "Make one with a made-up name; its link as a QR code" },
        run: () => createRandom(globals, "accounts create-random"),
      }),
      password: defineCommand({
        meta: { name: "password", description: "Give it another password; its sessions end" },
        args: { user, password: passwordOption },
        run: ({ args }) => setPassword(globals, "accounts password", args.user, args.password),
      }),
      delete: defineCommand({
        meta: { name: "delete", description: "Take it away with its mail, and block its name" },
        args: {
          user,
          reason: { type: "string", description: "Kept with the blocked name" },
          "keep-mail": { type: "boolean", description: "Leave its mailboxes, for who has the address next" },
          "free-name": { type: "boolean", description: "Do not block the name" },
          yes,
        },
        run: ({ args }) => remove(globals, "accounts delete", args.user, args),
      }),
      ban: defineCommand({
        meta: { name: "ban", description: "Take it away with its mail, if it is there, and block its name" },
        args: {
          user,
          reason: { type: "positional", required: false, description: "Kept with the name" },
          yes,
        },
        run: ({ args }) => ban(globals, args.user, args.reason, args.yes),
      }),
      unban: defineCommand({
        meta: { name: "unban", description: "Let an address be taken again; nothing comes back" },
        args: { user },
        async run({ args }) {
          const data = await operate(globals, (caller) => caller.call("accounts.unban", { user: args.user }));
          report(globals, "accounts unban", `${data.address} can be taken again`, data);
        },
      }),
      export: defineCommand({
        meta: { name: "export", description: "Every account with the hash of its password, as JSON" },
        args: { output: { type: "string", alias: "o", description: "Write the bare list to this file" } },
        run: ({ args }) => exportAll(globals, args.output),
      }),
      import: defineCommand({
        meta: {
          name: "import",
          description: "Take over accounts: a JSON list of username with hash or password",
        },
        args: { file: { type: "positional", required: true, description: "As `export` writes it" } },
        run: ({ args }) => importAll(globals, args.file),
      }),
      "delete-all": defineCommand({
        meta: {
          name: "delete-all",
          description: "Take every account away with its mail, and block all names",
        },
        args: { yes },
        run: ({ args }) => removeAll(globals, args.yes),
      }),
      prune: defineCommand({
        meta: {
          name: "prune",
          description: "Take away accounts that nobody ever used; their names are free again",
        },
        args: {
          age: { type: "positional", required: true, description: "Made longer ago than this: 30d, 72h" },
          yes,
        },
        run: ({ args }) => prune(globals, "accounts prune", args.age, args.yes),
      }),
    },
  });
}

function listCommand(globals: Globals) {
  return defineCommand({
    meta: { name: "list", description: "Accounts with what they hold and may hold" },
    args: {
      search: { type: "positional", required: false, description: "Part of the address" },
      filter: {
        type: "enum",
        options: ["all", "unused", "blocked", "dormant"],
        description: "Only some of them",
      },
      sort: {
        type: "enum",
        options: ["name", "used", "quota", "created", "lastLogin", "firstLogin"],
        description: "In which order",
      },
      descending: { type: "boolean", description: "Largest or latest first" },
      limit: { type: "string", description: "At most so many; default 100" },
      offset: { type: "string", description: "Leave out so many at the start" },
    },
    run: ({ args }) => list(globals, args),
  });
}

async function status(globals: Globals): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("accounts.status", {}));
  const text = [
    `accounts          ${data.accounts}, of them ${data.unused} never used`,
    `with mailboxes    ${data.mailDirectories}`,
    `blocked names     ${data.blocked}`,
    `registration      ${data.registrationOpen ? "open" : "closed"}`,
    `token required    ${data.tokenRequired ? "yes" : "no"}`,
    `at first login    ${data.jit ? "an unknown address becomes an account" : "nothing is made"}`,
    `domains           ${data.domains.join(", ")}`,
    `database          ${data.database}`,
  ].join("\n");
  report(globals, "accounts status", text, data);
}

type ListInput = InputOf<"accounts.list">;

interface ListArguments {
  search?: string | undefined;
  filter?: ListInput["filter"];
  sort?: ListInput["sort"];
  descending?: boolean | undefined;
  limit?: string | undefined;
  offset?: string | undefined;
}

async function list(globals: Globals, { limit, offset, ...chosen }: ListArguments): Promise<void> {
  const input = {
    search: chosen.search,
    filter: chosen.filter,
    sort: chosen.sort,
    descending: chosen.descending,
    limit: limit === undefined ? undefined : wholeNumber("--limit", limit, 1),
    offset: offset === undefined ? undefined : wholeNumber("--offset", offset, 0),
  };
  const data = await operate(globals, (caller) => caller.call("accounts.list", input));
  const lines = data.accounts.map(
    (account) =>
      `${account.user.padEnd(36)} ${bytesText(account.usedBytes).padStart(10)} of ${quotaText(account.quotaBytes).padEnd(10)} ` +
      `made ${dayText(account.createdAtSec)}  last login ${dayText(account.lastLoginAtSec)}${account.blocked ? "  blocked" : ""}`,
  );
  const left = data.matching - data.accounts.length - (input.offset ?? 0);
  if (left > 0) lines.push(`and ${left} more`);
  report(globals, "accounts list", lines.length > 0 ? lines.join("\n") : "no account", data);
}

async function info(globals: Globals, user: string): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("accounts.info", { user }));
  report(globals, "accounts info", infoText(data), data);
}

function infoText(data: OutputOf<"accounts.info">): string {
  const blocked =
    data.blockedAtSec === undefined
      ? "no"
      : `since ${timeText(data.blockedAtSec)}: ${data.blockedReason ?? ""}`;
  return [
    `address       ${data.user}`,
    `account       ${data.exists ? `made ${dayText(data.createdAtSec)}` : "none"}`,
    `logins        first ${dayText(data.firstLoginAtSec)}, last ${dayText(data.lastLoginAtSec)}`,
    `blocked       ${blocked}`,
    `mail          ${plural(data.messageCount, "message")}, ${bytesText(data.usedBytes)}`,
    `may hold      ${quotaText(data.quotaBytes)} (${data.quotaSource})`,
    `mailboxes     ${data.mailboxes.join(", ") || "none"}`,
    `phones        ${data.devices}`,
    `sessions      ${data.sessions}`,
  ].join("\n");
}

export async function create(
  globals: Globals,
  command: string,
  user: string,
  given: string | undefined,
): Promise<void> {
  const password = await secretOf(given, false);
  const data = await operate(globals, (caller) => caller.call("accounts.create", { user, password }));
  report(globals, command, credentials(data), data);
}

export async function createRandom(globals: Globals, command: string): Promise<void> {
  const { address, password, link } = await operate(globals, (caller) =>
    caller.call("accounts.createRandom", {}),
  );
  // The names that scripts for the Go version read.
  const data = { username: address, password, email: address, dclogin: link };
  report(globals, command, credentials({ address, password, link }), data);
}

function credentials({
  address,
  password,
  link,
}: {
  address: string;
  password?: string | undefined;
  link: string;
}): string {
  const lines = [
    `address   ${address}`,
    ...(password === undefined ? [] : [`password  ${password}`]),
    `link      ${link}`,
  ];
  return `${lines.join("\n")}\n${qrText(link)}`;
}

export async function setPassword(
  globals: Globals,
  command: string,
  user: string,
  given: string | undefined,
): Promise<void> {
  const password = await secretOf(given, false);
  const data = await operate(globals, (caller) => caller.call("accounts.setPassword", { user, password }));
  report(globals, command, `${credentials(data)}its sessions have ended\n`, data);
}

export interface RemoveArguments {
  reason?: string | undefined;
  "keep-mail"?: boolean | undefined;
  "free-name"?: boolean | undefined;
  yes?: boolean | undefined;
}

export async function remove(
  globals: Globals,
  command: string,
  name: string,
  { reason, "keep-mail": keepMail = false, "free-name": freeName = false, yes: isSure }: RemoveArguments,
): Promise<void> {
  await operate(globals, async (caller) => {
    const found = await caller.call("accounts.info", { user: name });
    const mail = keepMail
      ? "leave its mail"
      : `delete its ${plural(found.messageCount, "message")} (${bytesText(found.usedBytes)})`;
    const what = `take away ${found.user}, ${mail}${freeName ? "" : " and block the name"}`;
    if (!(await confirmed(globals, command, what, isSure))) return;
    const data = await caller.call("accounts.delete", { user: name, reason, keepMail, block: !freeName });
    report(globals, command, `${data.address} is gone`, data);
  });
}

async function ban(
  globals: Globals,
  user: string,
  reason: string | undefined,
  isSure: boolean | undefined,
): Promise<void> {
  await operate(globals, async (caller) => {
    const { accounts } = await caller.call("accounts.list", { search: user, limit: 1 });
    const hasAccount = accounts.length > 0 ? "with all its mail, if there is such an account, " : "";
    const what = `take away ${user} ${hasAccount}and block the name`;
    if (!(await confirmed(globals, "accounts ban", what, isSure))) return;
    const data = await caller.call("accounts.ban", { user, reason });
    report(globals, "accounts ban", `${data.address} is ${data.deleted ? "gone and " : ""}blocked`, data);
  });
}

async function exportAll(globals: Globals, output: string | undefined): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("accounts.export", {}));
  const text = `${JSON.stringify(data.users, null, 1)}\n`;
  if (output === undefined)
    return report(globals, "accounts export", text, { ...data, total: data.users.length });
  try {
    // Whoever has the hashes can try passwords: nobody else may read them, whatever was there before.
    writeFileSync(output, "", { mode: OWNER_ONLY });
    chmodSync(output, OWNER_ONLY);
    writeFileSync(output, text);
  } catch (error) {
    throw new CommandError(`${output}: cannot be written (${codeOf(error)})`, { cause: error });
  }
  report(globals, "accounts export", `${plural(data.users.length, "account")} in ${output}`, {
    file: output,
    total: data.users.length,
  });
}

async function importAll(globals: Globals, file: string): Promise<void> {
  const users = readUsers(file);
  const onProgress = progressBar(globals);
  const data = await operate(globals, (caller) => caller.call("accounts.import", { users }, { onProgress }));
  const lines = [
    `${data.imported} imported, ${data.skipped} skipped`,
    ...data.errors.map((error) => `  ${error}`),
  ];
  report(globals, "accounts import", lines.join("\n"), data);
}

/** @throws {CommandError} */
function readUsers(file: string): z.output<typeof importedUser>[] {
  let text: string;
  try {
    text = readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw new CommandError(`${file}: cannot be read (${codeOf(error)})`, { cause: error });
  }
  const parsed = importFile.safeParse(parseJson(text));
  if (!parsed.success)
    throw new CommandError(`${file}: expected a JSON list of accounts, as \`accounts export\` writes it`);
  const users = parsed.data.map((entry) => importedUser.safeParse(entry));
  const wrong = users.findIndex((user) => !user.success);
  if (wrong !== -1)
    throw new CommandError(
      `${file}: entry ${wrong + 1} is no account: expected username, and hash or password`,
    );
  if (users.length === 0) throw new CommandError(`${file}: there is no account in it`);
  return users.flatMap((user) => (user.success ? [user.data] : []));
}

async function removeAll(globals: Globals, isSure: boolean | undefined): Promise<void> {
  await operate(globals, async (caller) => {
    const { totalBytes, accounts } = await caller.call("quota.summary", {});
    const what = `take away all ${plural(accounts, "account")} with their mail (${bytesText(totalBytes)}) and block their names`;
    if (!(await confirmed(globals, "accounts delete-all", what, isSure))) return;
    const data = await caller.call("accounts.deleteAll", {}, { onProgress: progressBar(globals) });
    report(globals, "accounts delete-all", `${plural(data.deleted, "account")} gone`, data);
  });
}

export async function prune(
  globals: Globals,
  command: string,
  olderThan: string,
  isSure: boolean | undefined,
): Promise<void> {
  await operate(globals, async (caller) => {
    const { accounts } = await caller.call("accounts.prune", { olderThan, dryRun: true });
    const what = `take away ${plural(accounts, "account")} that were never used`;
    if (accounts > 0 && !(await confirmed(globals, command, what, isSure))) return;
    const data = await caller.call("accounts.prune", { olderThan });
    report(globals, command, `${plural(data.accounts, "account")} gone`, data);
  });
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "unknown error";
}
