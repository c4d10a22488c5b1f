/** `madmail notice …`: the operator's word to users. */
import { readFileSync } from "node:fs";
import { type CommandDef, defineCommand } from "citty";
import type { Globals } from "./globals.ts";
import { confirmed, operate, progressBar } from "./operate.ts";
import { CommandError, report } from "./output.ts";
import { plural } from "./shown.ts";

export function noticeCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: { name: "notice", description: "Write to users, as Admin, in clear" },
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "How many a notice to all would reach" },
        async run() {
          const data = await operate(globals, (caller) => caller.call("notices.audience", {}));
          report(
            globals,
            "notice status",
            `a notice to all reaches ${plural(data.totalUsers, "account")}`,
            data,
          );
        },
      }),
      send: defineCommand({
        meta: { name: "send", description: "Send one, to all or to one user" },
        args: {
          user: { type: "positional", required: false, description: "Whom to; everybody when absent" },
          subject: { type: "string", alias: "s", required: true, description: "One line" },
          body: { type: "string", alias: "b", description: "The text" },
          file: { type: "string", alias: "f", description: "Read the text from a file, - is standard input" },
          yes: { type: "boolean", alias: "y", description: "Do not ask" },
        },
        run: ({ args }) => send(globals, args),
      }),
    },
  });
}

interface SendArguments {
  user?: string | undefined;
  subject: string;
  body?: string | undefined;
  file?: string | undefined;
  yes?: boolean | undefined;
}

async function send(globals: Globals, { user, subject, body, file, yes }: SendArguments): Promise<void> {
  const text = textOf(body, file);
  await operate(globals, async (caller) => {
    if (user === undefined) {
      const { totalUsers } = await caller.call("notices.audience", {});
      const what = `write to all ${plural(totalUsers, "account")}`;
      if (!(await confirmed(globals, "notice send", what, yes))) return;
    }
    const onProgress = progressBar(globals);
    const data = await caller.call("notices.send", { subject, body: text, user }, { onProgress });
    if (data.sent === 0) throw new CommandError(`nobody has it: ${data.errors[0] ?? "all failed"}`);
    const lines = [`${data.sent} sent, ${data.failed} failed`, ...data.errors.map((error) => `  ${error}`)];
    report(globals, "notice send", lines.join("\n"), data);
  });
}

/** @throws {CommandError} */
function textOf(body: string | undefined, file: string | undefined): string {
  if (body !== undefined && file === undefined) return body;
  if (file === undefined || body !== undefined)
    throw new CommandError("say either --body TEXT or --file FILE");
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new CommandError(`${file}: cannot be read (${code})`, { cause: error });
  }
}
