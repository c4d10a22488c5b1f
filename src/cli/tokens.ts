/** `madmail registration-tokens …`: invitations. */
import { type CommandDef, defineCommand } from "citty";
import type { OutputOf } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { confirmed, operate } from "./operate.ts";
import { report, wholeNumber } from "./output.ts";
import { plural, timeText, yes } from "./shown.ts";

export function tokensCommand(globals: Globals): CommandDef {
  const token = { type: "positional", required: true, description: "As `list` shows it" } as const;
  return defineCommand({
    meta: {
      name: "registration-tokens",
      alias: ["reg-tokens", "tokens"],
      description: "Invitations: tokens with which somebody can have an account",
    },
    subCommands: {
      list: defineCommand({
        meta: { name: "list", description: "All of them, newest first" },
        run: () => list(globals),
      }),
      create: defineCommand({
        meta: {
          name: "create",
          description: "Make one; or change limit, comment and expiry of one that is there",
        },
        args: {
          token: { type: "string", description: "Its text; made up when absent" },
          "max-uses": { type: "string", description: "How many accounts; default 1" },
          comment: { type: "string", description: "What it is for" },
          expires: { type: "string", description: "After this time, such as 72h or 7d; default never" },
        },
        run: ({ args }) => create(globals, args),
      }),
      status: defineCommand({
        meta: { name: "status", description: "Its uses and expiry" },
        args: { token },
        async run({ args }) {
          const data = await operate(globals, (caller) =>
            caller.call("tokens.status", { token: args.token }),
          );
          report(globals, "registration-tokens status", tokenText(data), data);
        },
      }),
      delete: defineCommand({
        meta: { name: "delete", alias: "remove", description: "Take one away" },
        args: { token, yes },
        run: ({ args }) => remove(globals, args.token, args.yes),
      }),
    },
  });
}

async function list(globals: Globals): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("tokens.list", {}));
  const text = data.tokens.map(tokenText).join("\n");
  report(globals, "registration-tokens list", text === "" ? "no token" : text, data);
}

interface CreateArguments {
  token?: string | undefined;
  "max-uses"?: string | undefined;
  comment?: string | undefined;
  expires?: string | undefined;
}

async function create(globals: Globals, args: CreateArguments): Promise<void> {
  const uses = args["max-uses"];
  const input = {
    token: args.token,
    maxUses: uses === undefined ? undefined : wholeNumber("--max-uses", uses, 1),
    comment: args.comment,
    expiresIn: args.expires,
  };
  const data = await operate(globals, (caller) => caller.call("tokens.create", input));
  report(globals, "registration-tokens create", tokenText(data), data);
}

async function remove(globals: Globals, token: string, isSure: boolean | undefined): Promise<void> {
  const command = "registration-tokens delete";
  await operate(globals, async (caller) => {
    const { pending } = await caller.call("tokens.status", { token });
    const what = `take the token away; ${plural(pending, "account")} made with it and never used can't log in any more`;
    // Where nobody loses anything there is nothing to ask.
    if (pending > 0 && !(await confirmed(globals, command, what, isSure))) return;
    const data = await caller.call("tokens.remove", { token });
    report(globals, command, "the token is gone", data);
  });
}

function tokenText(token: OutputOf<"tokens.status">): string {
  const until = token.expiresAtSec === null ? "never expires" : `expires ${timeText(token.expiresAtSec)}`;
  const pending = token.pending > 0 ? ` and ${token.pending} pending` : "";
  return `${token.token}  ${token.status}  ${token.usedCount} of ${token.maxUses} used${pending}  ${until}  ${token.comment}`.trimEnd();
}
