import { expect, test } from "bun:test";
import { type CommandDef, defineCommand } from "citty";
import { checkWords } from "./options.ts";

const root: CommandDef = defineCommand({
  subCommands: {
    tasks: defineCommand({
      default: "list",
      subCommands: {
        list: defineCommand({ args: { limit: { type: "string" } } }),
        run: defineCommand({
          meta: { alias: "do" },
          args: {
            task: { type: "positional", required: true },
            dryRun: { type: "boolean" },
            retention: { type: "string", alias: "r" },
          },
        }),
      },
    }),
    reload: defineCommand({}),
    install: defineCommand({ args: { noDns: { type: "boolean" }, domain: { type: "string" } } }),
  },
});

async function fault(...words: string[]): Promise<string> {
  return await checkWords(root, words).then(
    () => "fine",
    (error: unknown) => (error as Error).message,
  );
}

test.each([
  ["tasks run prune --dry-run"],
  ["tasks run prune --dryRun"],
  ["tasks run --no-dry-run prune"],
  ["tasks run prune --retention 3d"],
  ["tasks run prune --retention=3d"],
  ["tasks run prune -r -3"],
  ["tasks do prune"],
  ["tasks"],
  ["tasks --limit 3"],
  ["tasks run -- --odd-name"],
  ["reload"],
  ["install --no-dns --domain x.test"],
])("%p is understood", async (line) => {
  expect(await fault(...line.split(" "))).toBe("fine");
});

test.each([
  ["tasks run prune --dryrn", "tasks run: there is no option --dryrn; did you mean --dry-run?"],
  ["tasks run prune --now", "tasks run: there is no option --now"],
  ["tasks run prune -x", "tasks run: there is no option -x"],
  ["tasks run prune twice", "tasks run: what is twice?"],
  ["install --no-domain", "install: there is no option --no-domain"],
  ["reload --force", "reload: there is no option --force"],
  ["reload now", "reload: what is now?"],
])("%p is refused", async (line, want) => {
  expect(await fault(...line.split(" "))).toStartWith(want);
});
