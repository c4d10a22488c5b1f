/** `madmail sharing …`: short addresses of contacts. */
import { type CommandDef, defineCommand } from "citty";
import type { Globals } from "./globals.ts";
import { confirmed, operate } from "./operate.ts";
import { report, wholeNumber } from "./output.ts";

export function sharingCommand(globals: Globals): CommandDef {
  const slug = {
    type: "positional" as const,
    required: true as const,
    description: "The short address: letters a to z and digits, at least three",
  };
  const url = {
    type: "positional" as const,
    required: true as const,
    description: "The invitation: https://i.delta.chat/#… or openpgp4fpr:…",
  };
  const name = { type: "positional" as const, required: false as const, description: "The name to show" };
  return defineCommand({
    meta: { name: "sharing", description: "See and make short addresses that lead to a Delta Chat contact" },
    subCommands: {
      list: defineCommand({
        meta: { name: "list", description: "All of them, by name" },
        args: { limit: { type: "string", description: "At most so many; default 100" } },
        run: ({ args }) => list(globals, args.limit),
      }),
      create: defineCommand({
        meta: { name: "create", description: "Make one" },
        args: { slug, url, name },
        async run({ args }) {
          const input = { slug: args.slug, url: args.url, name: args.name ?? "" };
          const made = await operate(globals, (caller) => caller.call("contacts.create", input));
          report(globals, "sharing create", `/${made.slug} leads to ${made.url}`, made);
        },
      }),
      reserve: defineCommand({
        meta: { name: "reserve", description: "Keep one free, so that nobody can take it" },
        args: { slug },
        async run({ args }) {
          const kept = await operate(globals, (caller) =>
            caller.call("contacts.reserve", { slug: args.slug }),
          );
          report(globals, "sharing reserve", `/${kept.slug} is reserved`, kept);
        },
      }),
      edit: defineCommand({
        meta: { name: "edit", description: "Change where one leads and, if given, the name it shows" },
        args: { slug, url, name },
        async run({ args }) {
          const change = { slug: args.slug, url: args.url, name: args.name };
          const made = await operate(globals, (caller) => caller.call("contacts.update", change));
          report(globals, "sharing edit", `/${made.slug} leads to ${made.url}`, made);
        },
      }),
      remove: defineCommand({
        meta: { name: "remove", description: "Take one away" },
        args: { slug, yes: { type: "boolean", alias: "y", description: "Do not ask" } },
        async run({ args }) {
          if (!(await confirmed(globals, "sharing remove", `take /${args.slug} away`, args.yes))) return;
          const gone = await operate(globals, (caller) =>
            caller.call("contacts.remove", { slug: args.slug }),
          );
          report(globals, "sharing remove", `/${gone.removed} is gone`, gone);
        },
      }),
    },
  });
}

async function list(globals: Globals, limitText: string | undefined): Promise<void> {
  const limit = limitText === undefined ? undefined : wholeNumber("--limit", limitText, 1);
  const data = await operate(globals, (caller) => caller.call("contacts.list", { limit }));
  const lines = data.contacts.map(({ slug, name, url }) => `/${slug}  ${name}  ${url}`);
  if (data.total > lines.length) lines.push(`and ${data.total - lines.length} more`);
  if (!data.enabled) lines.push("sharing is off: set `contact_sharing = true` in [site] and reload");
  report(globals, "sharing list", lines.length > 0 ? lines.join("\n") : "there are none", data);
}
