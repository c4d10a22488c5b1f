/** The command line: global flags, one subcommand a file, loaded when it is asked for. */
import { type CommandDef, defineCommand, renderUsage, runCommand } from "citty";
import { ConfigError } from "../config/config.ts";
import { programName } from "../config/program.ts";
import { version } from "../core/version.ts";
import { type Globals, takeGlobals, UsageError } from "./globals.ts";
import { checkWords } from "./options.ts";
import { CommandError, reportFault } from "./output.ts";
import { globalOptions, resolved } from "./tree.ts";

/** Every command; loaded when it is asked for. */
export function commands(globals: Globals): CommandDef {
  const root: CommandDef = defineCommand({
    meta: {
      name: programName,
      version,
      description: "A chatmail relay: the mail server that Delta Chat users connect to",
    },
    subCommands: {
      run: async () => (await import("./run.ts")).runCommand(globals),
      status: async () => (await import("./status.ts")).statusCommand(globals),
      certificate: async () => (await import("./certificate.ts")).certificateCommand(globals),
      backup: async () => (await import("./backup.ts")).backupCommand(globals),
      config: async () => (await import("./config.ts")).configCommand(globals),
      dkim: async () => (await import("./dkim.ts")).dkimCommand(globals),
      doctor: async () => (await import("./doctor.ts")).doctorCommand(globals),
      dns: async () => (await import("./dns.ts")).dnsCommand(globals),
      echo: async () => (await import("./echo.ts")).echoCommand(globals),
      explain: async () => (await import("./explain.ts")).explainCommand(globals),
      "migrate-pgp-config": async () =>
        (await import("./migrate-pgp-config.ts")).migratePgpConfigCommand(globals),
      import: async () => (await import("./import.ts")).importCommand(globals),
      proxy: async () => (await import("./proxy.ts")).proxyCommand(globals),
      reload: async () => (await import("./reload.ts")).reloadCommand(globals),
      accounts: async () => (await import("./accounts.ts")).accountsCommand(globals),
      "create-user": async () => (await import("./create-user.ts")).createUserCommand(globals),
      delete: async () => (await import("./delete.ts")).deleteCommand(globals),
      blocklist: async () => (await import("./blocklist.ts")).blocklistCommand(globals),
      "ban-list": async () => (await import("./blocklist.ts")).banListCommand(globals),
      registration: async () => (await import("./registration.ts")).registrationCommand(globals),
      "registration-tokens": async () => (await import("./tokens.ts")).tokensCommand(globals),
      quota: async () => (await import("./quota.ts")).quotaCommand(globals),
      notice: async () => (await import("./notice.ts")).noticeCommand(globals),
      creds: async () => (await import("./creds.ts")).credsCommand(globals),
      hash: async () => (await import("./hash.ts")).hashCommand(globals),
      "imap-acct": async () => (await import("./imap-acct.ts")).imapAcctCommand(globals),
      "imap-mboxes": async () => (await import("./imap-mboxes.ts")).imapMboxesCommand(globals),
      "imap-msgs": async () => (await import("./imap-msgs.ts")).imapMsgsCommand(globals),
      queue: async () => (await import("./queue.ts")).queueCommand(globals),
      settings: async () => (await import("./settings.ts")).settingsCommand(globals),
      federation: async () => (await import("./federation.ts")).federationCommand(globals),
      "endpoint-cache": async () =>
        (await import("./endpoints.ts")).endpointsCommand(globals, "endpoint-cache"),
      "dns-cache": async () => (await import("./endpoints.ts")).endpointsCommand(globals, "dns-cache"),
      exchanger: async () => (await import("./endpoints.ts")).exchangerCommand(globals),
      port: async () => (await import("./port.ts")).portCommand(globals),
      "submission-access": async () => (await import("./port.ts")).submissionAccessCommand(globals),
      "message-size": async () => (await import("./message-size.ts")).messageSizeCommand(globals),
      language: async () => (await import("./message-size.ts")).languageCommand(globals),
      ...Object.fromEntries(
        switchNames.map((name) => [
          name,
          async () => {
            const { switchCommand, switches } = await import("./services.ts");
            return switchCommand(globals, switches[name]);
          },
        ]),
      ),
      "webmail-cors": async () => (await import("./services.ts")).webmailCorsCommand(globals),
      "admin-web": async () => (await import("./services.ts")).adminWebCommand(globals),
      "admin-token": async () => (await import("./admin-token.ts")).adminTokenCommand(globals),
      sharing: async () => (await import("./sharing.ts")).sharingCommand(globals),
      "html-export": async () => (await import("./html.ts")).htmlExportCommand(globals),
      "html-serve": async () => (await import("./html.ts")).htmlServeCommand(globals),
      "html-migrate": async () => (await import("./html.ts")).htmlMigrateCommand(globals),
      tasks: async () => (await import("./tasks.ts")).tasksCommand(globals),
      install: async () => (await import("./install.ts")).installCommand(globals),
      uninstall: async () => (await import("./uninstall.ts")).uninstallCommand(globals),
      upgrade: async () => (await import("./versions.ts")).upgradeCommand(globals),
      versions: async () => (await import("./versions.ts")).versionsCommand(globals),
      preflight: async () => (await import("./preflight.ts")).preflightCommand(globals),
      completion: async () => (await import("./completion.ts")).completionCommand(() => root),
      manual: async () => (await import("./manual.ts")).manualCommand(() => root),
      restore: async () => (await import("./backup.ts")).restoreCommand(globals),
      version: async () => (await import("./version.ts")).versionCommand(globals),
    },
  });
  return root;
}

const switchNames = ["turn", "iroh", "push", "webimap", "websmtp", "openrelay"] as const;
const FLAGS_WIDTH = 26;
const globalHelp = `
GLOBAL OPTIONS (before or after the command)

${globalOptions.map(({ flags, description }) => `  ${flags.join(", ").padEnd(FLAGS_WIDTH)}${description}`).join("\n")}
`;

/** Runs one command and sets the exit code: 0 done, 1 failed, 2 wrong configuration. */
export async function main(argv: readonly string[]): Promise<void> {
  let json = argv.includes("--json");
  process.stdout.on("error", endIfNobodyReads);
  try {
    const { globals, rest } = takeGlobals(argv);
    json = globals.json;
    const root = commands(globals);
    if (rest.length === 0 || rest.includes("--help") || rest.includes("-h") || rest[0] === "help") {
      process.stdout.write(`${plain(await usageOf(root, rest))}${globalHelp}`);
      return;
    }
    if (rest[0] === "--version" || rest[0] === "-V") rest[0] = "version";
    await checkWords(root, rest);
    await runCommand(root, { rawArgs: rest });
  } catch (error) {
    endIfNobodyReads(error);
    if (error instanceof ConfigError) return reportFault(json, error.message, 2);
    if (error instanceof CommandError || error instanceof UsageError) return reportFault(json, error.message);
    if (error instanceof Error && error.name === "CLIError") {
      return reportFault(json, `${plain(error.message, true)} (see \`${programName} help\`)`);
    }
    throw error;
  }
}

/** `madmail … | head`: who reads has had enough, and that is no fault. */
function endIfNobodyReads(error: unknown): void {
  if (error instanceof Error && "code" in error && error.code === "EPIPE") process.exit(0);
}

/** The usage text of the deepest subcommand that `words` name. */
async function usageOf(root: CommandDef, words: readonly string[]): Promise<string> {
  let command = root;
  let parent: CommandDef | undefined;
  for (const word of words.filter((w) => !w.startsWith("-") && w !== "help")) {
    const subCommands = await resolved(command.subCommands);
    const next = subCommands?.[word];
    if (next === undefined) break;
    parent = command;
    command = await resolved(next);
  }
  return renderUsage(command, parent);
}

/** Takes colours out where nobody sees them. */
function plain(text: string, always = false): string {
  return process.stdout.isTTY && !always ? text : Bun.stripANSI(text);
}
