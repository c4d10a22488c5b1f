/** Who may have an account, and the tokens that invite. */
import { z } from "zod";
import { systemRandom } from "../auth/names.ts";
import { settingKeys } from "../state/settings.ts";
import type { Token } from "../state/token-book.ts";
import type { OperationContext } from "./context.ts";
import { count, timeSec } from "./fields.ts";
import { operation, OperationError } from "./operation.ts";

const TOKEN_LENGTH = 24;
const COMMENT_MAX_LENGTH = 500;
const USES_MAX = 1_000_000;
const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, "": 1 };

const registration = z.strictObject({
  /** Whether `/new` hands out accounts to anybody. */
  open: z.boolean(),
  /** Whether an unknown address becomes an account at its first login: as set, and only while open without tokens. */
  jit: z.boolean(),
  jitInForce: z.boolean(),
  tokenRequired: z.boolean(),
});

const tokenName = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9._~-]{1,128}$/, "a token is made of letters, digits, dot, hyphen, underscore and tilde");

const token = z.strictObject({
  token: z.string(),
  /** What gives an account to who opens or scans it. */
  link: z.string(),
  maxUses: count,
  usedCount: count,
  /** Accounts that were made with it and have not logged in yet: each holds a use. */
  pending: count,
  comment: z.string(),
  createdAtSec: timeSec,
  /** Null: never. */
  expiresAtSec: timeSec.nullable(),
  status: z.enum(["active", "exhausted", "expired"]),
});

/** A span such as 72h, 7d or 90 (seconds). Empty and 0 say never. */
const span = z
  .string()
  .trim()
  .regex(/^(\d{1,9}\s*[smhd]?)?$/i, "expected a span of time such as 72h or 7d")
  .transform((text) => {
    const [, number = "0", unit = ""] = /^(\d+)\s*([smhd]?)$/i.exec(text) ?? [];
    return Number(number) * (SECONDS[unit.toLowerCase()] ?? 1);
  });

export const registrationOperations = {
  "registration.get": operation({
    summary: "Whether anybody can have an account, and how",
    permission: "read",
    input: z.strictObject({}),
    output: registration,
    run: (context) => facts(context),
  }),

  "registration.set": operation({
    summary: "Open or close registration, accounts at first login, and the need for a token",
    permission: "change",
    input: z.strictObject({
      open: z.boolean().optional(),
      jit: z.boolean().optional(),
      tokenRequired: z.boolean().optional(),
    }),
    output: registration,
    run(context, { open, jit, tokenRequired }) {
      const { settings } = context.state;
      if (open !== undefined) settings.setFlag(settingKeys.registrationOpen, open);
      if (jit !== undefined) settings.setFlag(settingKeys.jitEnabled, jit);
      if (tokenRequired !== undefined) settings.setFlag(settingKeys.tokenRequired, tokenRequired);
      return facts(context);
    },
  }),

  "tokens.list": operation({
    summary: "Registration tokens, newest first",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({ total: count, tokens: z.array(token) }),
    run(context) {
      const tokens = [...context.state.tokens.entries()]
        .map(([name, entry]) => shown(context, name, entry))
        .sort((a, b) => b.createdAtSec - a.createdAtSec || (a.token < b.token ? -1 : 1));
      return { total: tokens.length, tokens };
    },
  }),

  "tokens.create": operation({
    summary: "Make a registration token, or change the limit, comment and expiry of one that is there",
    permission: "change",
    input: z.strictObject({
      /** Made up when absent. */
      token: tokenName.optional(),
      maxUses: z.int().min(1).max(USES_MAX).default(1),
      comment: z.string().trim().max(COMMENT_MAX_LENGTH).default(""),
      expiresIn: span.optional(),
      /** Seconds since 1970; wins over `expiresIn`. */
      expiresAt: timeSec.optional(),
    }),
    output: token.extend({ created: z.boolean() }),
    run(context, input) {
      const { tokens } = context.state;
      const name = input.token ?? madeUp();
      const nowSec = Math.floor(context.clock.nowMs() / 1000);
      const spanned =
        input.expiresIn === undefined || input.expiresIn === 0 ? undefined : nowSec + input.expiresIn;
      const terms = {
        maxUses: input.maxUses,
        comment: input.comment,
        expiresAtSec: input.expiresAt ?? spanned,
      };
      const created = !tokens.update(name, terms) && tokens.create(name, terms);
      return { ...tokenOrThrow(context, name), created };
    },
  }),

  "tokens.status": operation({
    summary: "One token: its uses, its expiry",
    permission: "read",
    input: z.strictObject({ token: z.string().trim() }),
    output: token,
    run: (context, input) => tokenOrThrow(context, input.token),
  }),

  "tokens.remove": operation({
    summary: "Take a token away; accounts made with it that never logged in can't any more",
    permission: "destroy",
    input: z.strictObject({ token: z.string().trim() }),
    output: z.strictObject({ token: z.string(), pending: count }),
    run(context, input) {
      const { pending } = tokenOrThrow(context, input.token);
      context.state.tokens.remove(input.token);
      return { token: input.token, pending };
    },
  }),
};

function facts({ state: { settings }, config }: OperationContext): z.output<typeof registration> {
  return {
    open: settings.registrationOpen,
    jit: settings.flag(settingKeys.jitEnabled) ?? config().accounts.create_at_login,
    jitInForce: settings.jitEnabled,
    tokenRequired: settings.tokenRequired,
  };
}

function tokenOrThrow(context: OperationContext, name: string): z.output<typeof token> {
  const entry = context.state.tokens.get(name);
  if (entry === undefined) throw new OperationError("notFound", "there is no such token");
  return shown(context, name, entry);
}

function shown({ clock, inviteLink }: OperationContext, name: string, entry: Token): z.output<typeof token> {
  const { maxUses, usedCount, pending, comment, createdAtSec, expiresAtSec } = entry;
  const isExpired = expiresAtSec !== undefined && expiresAtSec <= clock.nowMs() / 1000;
  const isExhausted = usedCount + pending >= maxUses;
  return {
    token: name,
    link: inviteLink(name),
    maxUses,
    usedCount,
    pending,
    comment,
    createdAtSec,
    expiresAtSec: expiresAtSec ?? null,
    status: isExpired ? "expired" : isExhausted ? "exhausted" : "active",
  };
}

/** Letters and digits only, as all tools expect: 124 bits. */
function madeUp(): string {
  let text = "";
  while (text.length < TOKEN_LENGTH) {
    // 252 is the last whole multiple of 36: every character is as likely as any other.
    for (const byte of systemRandom(TOKEN_LENGTH)) {
      if (byte < 252 && text.length < TOKEN_LENGTH) text += (byte % 36).toString(36);
    }
  }
  return text;
}
