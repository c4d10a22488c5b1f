/** Addresses that can't log in, register or receive. Blocking deletes nothing. */
import { z } from "zod";
import { reason } from "./accounts.ts";
import { count, localAddress, timeSec, userAddress, userName } from "./fields.ts";
import { operation, OperationError } from "./operation.ts";

export const blocklistOperations = {
  "blocklist.list": operation({
    summary: "Who is blocked, since when, and why; newest first",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({
      total: count,
      blocked: z.array(z.strictObject({ user: z.string(), reason: z.string(), blockedAtSec: timeSec })),
    }),
    run({ state }) {
      const blocked = [...state.blocklist.entries()]
        .map(([user, row]) => ({ user, reason: row.reason, blockedAtSec: row.blockedAtSec }))
        .sort((a, b) => b.blockedAtSec - a.blockedAtSec || (a.user < b.user ? -1 : 1));
      return { total: blocked.length, blocked };
    },
  }),

  "blocklist.add": operation({
    summary: "Lock an address out; an account and its mail stay, its sessions end at once",
    permission: "change",
    input: z.strictObject({ user: userName, reason: reason.optional() }),
    output: z.strictObject({ address: z.string() }),
    run(context, input) {
      const user = localAddress(context, input.user);
      context.accounts.block(user, input.reason ?? "manually blocked");
      return { address: user };
    },
  }),

  "blocklist.remove": operation({
    summary: "Let an address in again",
    permission: "change",
    input: z.strictObject({ user: userName }),
    output: z.strictObject({ address: z.string() }),
    run(context, input) {
      const user = userAddress(context, input.user);
      if (!context.accounts.unblock(user)) throw new OperationError("notFound", `${user} is not blocked`);
      return { address: user };
    },
  }),

  "blocklist.clear": operation({
    summary: "Let everybody in again",
    permission: "destroy",
    input: z.strictObject({}),
    output: z.strictObject({ removed: count }),
    run({ state, accounts }) {
      const users = [...state.blocklist.entries()].map(([user]) => user);
      for (const user of users) accounts.unblock(user);
      return { removed: users.length };
    },
  }),
};
