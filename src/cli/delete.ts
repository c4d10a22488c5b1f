/** `madmail delete`: short for `accounts delete`. */
import { defineCommand } from "citty";
import { remove } from "./accounts.ts";
import type { Globals } from "./globals.ts";
import { userArgument, yes } from "./shown.ts";

export function deleteCommand(globals: Globals) {
  return defineCommand({
    meta: { name: "delete", description: "Take an account away with its mail, and block its name" },
    args: { user: userArgument, reason: { type: "string", description: "Kept with the blocked name" }, yes },
    run: ({ args }) => remove(globals, "delete", args.user, args),
  });
}
