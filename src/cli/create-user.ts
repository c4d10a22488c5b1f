/** `madmail create-user`: an account for somebody who stands beside the operator. */
import { defineCommand } from "citty";
import { createRandom } from "./accounts.ts";
import type { Globals } from "./globals.ts";
import { operate } from "./operate.ts";

export function createUserCommand(globals: Globals) {
  return defineCommand({
    meta: { name: "create-user", description: "Make an account with a made-up name; its link as a QR code" },
    args: {
      "json-only": { type: "boolean", description: 'Print {"dclogin":"…"} and nothing else' },
    },
    async run({ args }) {
      if (args["json-only"] !== true) return createRandom(globals, "create-user");
      const { link } = await operate(globals, (caller) => caller.call("accounts.createRandom", {}));
      process.stdout.write(`${JSON.stringify({ dclogin: link })}\n`);
    },
  });
}
