/** `install` and its questions. */
import { existsSync } from "node:fs";
import { defineCommand } from "citty";
import { renderUnicodeCompact } from "uqr";
import { firstAccount, panelLink, recordFindings, recordsFor } from "../app/install/after.ts";
import {
  type Choices,
  chosenDomain,
  chosenHostname,
  chosenTls,
  type TlsChoice,
  type TlsOptions,
} from "../app/install/choices.ts";
import { firewallHints } from "../app/install/firewall.ts";
import { apply, type Installation, obstacles, prepare, versionInUse } from "../app/install/install.ts";
import { InstallError, type Machine, thisMachine } from "../app/install/machine.ts";
import { placesOf } from "../app/install/places.ts";
import { programSteps } from "../app/install/plan.ts";
import { runSteps } from "../app/install/steps.ts";
import { VersionTree } from "../app/install/tree.ts";
import { serviceUnit } from "../app/install/unit.ts";
import { type ZoneRecord, zoneLine } from "../app/zone.ts";
import { systemClock } from "../core/clock.ts";
import { version } from "../core/version.ts";
import { Questions } from "./ask.ts";
import type { Globals } from "./globals.ts";
import { nameOf, told } from "./installation.ts";
import { CommandError, report } from "./output.ts";
import { StepList } from "./step-list.ts";
import { takeOver } from "./versions.ts";

const args = {
  simple: { type: "boolean", alias: "s", description: "Ask nothing; needs --domain or --ip" },
  domain: { type: "string", description: "The relay's domain" },
  hostname: { type: "string", description: "Name that clients connect to, where it is not the domain" },
  ip: { type: "string", description: "IP address of a relay without a domain" },
  tls: {
    type: "string",
    description: "Certificate: acme (Let's Encrypt), self-signed, or file with --cert and --key",
  },
  cert: { type: "string", description: "PEM file with the certificate chain" },
  key: { type: "string", description: "PEM file with its private key" },
  email: { type: "string", description: "Address that the certificate's authority may write to" },
  "no-turn": { type: "boolean", description: "Without calls" },
  shadowsocks: { type: "boolean", description: "With the Shadowsocks proxy" },
  "dry-run": { type: "boolean", description: "Show all that would be done, and do nothing" },
  "no-start": { type: "boolean", description: "Put everything into place, but don't start the relay" },
  "no-systemd": { type: "boolean", description: "Without systemd units" },
  "no-dns": { type: "boolean", description: "Don't ask the DNS whether the records are there" },
  "ignore-ports": { type: "boolean", description: "Go on although ports are taken" },
  "binary-only": { type: "boolean", description: "Only put the program into place" },
  name: { type: "string", description: "What the program is called here; default: as it is called now" },
  root: { type: "string", description: "Install below this directory instead of /" },
} as const;

type Args = Partial<Record<keyof typeof args, string | boolean | undefined>>;

export function installCommand(globals: Globals) {
  return defineCommand({
    meta: {
      name: "install",
      description: "Set this machine up as a relay: user, configuration, keys, service",
    },
    args,
    run: ({ args: given }) => told(() => install(globals, given as Args)),
  });
}

async function install(globals: Globals, given: Args): Promise<void> {
  const text = (key: keyof Args) => (typeof given[key] === "string" ? given[key] : undefined);
  const machine = thisMachine(text("root") ?? "/");
  const dryRun = given["dry-run"] === true;
  if (!Bun.isStandaloneExecutable)
    throw new CommandError("this runs from source; build the executable first");
  if (machine.root === "/" && !machine.isRoot && !dryRun)
    throw new CommandError("installing needs root: use sudo");
  const program = { executable: process.execPath, version };
  const name = nameOf(given.name);
  const list = new StepList(globals);
  if (given["binary-only"] === true) {
    const places = placesOf(name);
    const current = new VersionTree(machine, places).current();
    if (current !== undefined && !dryRun) return takeOver(globals, { name, root: machine.root }, program);
    await runSteps(programSteps({ machine, places, program, clock: systemClock }), list.options(dryRun));
    report(globals, "install", `${name} ${version} is at ${places.link}`, { version, steps: list.steps });
    return;
  }
  if (process.platform !== "linux") {
    throw new CommandError(
      "services are set up on Linux only; elsewhere write a configuration and use `run`",
    );
  }
  const options = { machine, name, stateDir: globals.stateDir, program, clock: systemClock };
  const installation = await prepare(options, (stateDir) => choose(given, stateDir));
  await refuse(installation, given);
  const manage = { units: given["no-systemd"] !== true, start: given["no-start"] !== true };
  await apply(installation, manage, list.options(dryRun));
  if (dryRun) return reportPlan(globals, installation, list);
  await reportDone(globals, installation, list, { ...manage, dns: given["no-dns"] !== true });
}

/** Says what stands in the way before anything has changed. @throws {CommandError} */
async function refuse(installation: Installation, given: Args): Promise<void> {
  const { config, isConfigured, places } = installation;
  if (isConfigured && (given.domain !== undefined || given.ip !== undefined)) {
    const wanted = chosenDomain({ domain: asText(given.domain), ip: asText(given.ip) });
    if (!config.domains.includes(wanted as (typeof config.domains)[0])) {
      throw new CommandError(
        `${places.configFile} is there already, for ${config.domains[0]}; edit it, or uninstall first`,
      );
    }
  }
  const inUse = await versionInUse(installation);
  if (inUse !== undefined) {
    throw new CommandError(
      `version ${inUse} is installed; \`${places.name} upgrade FILE\` changes it, with a backup and a way back`,
    );
  }
  const taken = obstacles(installation);
  if (taken.length > 0 && given["ignore-ports"] !== true && given["dry-run"] !== true) {
    const text = [...taken, "nothing was changed; --ignore-ports goes on regardless"].join("\n");
    throw new CommandError(text);
  }
}

function asText(value: string | boolean | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

async function choose(given: Args, stateDir: string): Promise<Choices> {
  const named = { domain: asText(given.domain), ip: asText(given.ip), hostname: asText(given.hostname) };
  if (
    given.simple !== true &&
    given["dry-run"] !== true &&
    named.domain === undefined &&
    named.ip === undefined
  ) {
    return ask(given, stateDir);
  }
  return {
    domain: chosenDomain(named),
    hostname: chosenHostname(named),
    stateDir,
    tls: chosenTls(chosenDomain(named), tlsOptions(given)),
    turn: given["no-turn"] !== true,
    shadowsocks: given.shadowsocks === true,
  };
}

async function ask(given: Args, stateDir: string): Promise<Choices> {
  using questions = new Questions("say --simple with --domain relay.example or --ip 192.0.2.1");
  const domain = await questions.ask(
    "Domain of the relay, or its IP address if it has none",
    undefined,
    (answer) => chosenDomain(/^[[\d]|:/.test(answer) ? { ip: answer } : { domain: answer }),
  );
  const isNamed = !domain.startsWith("[");
  const hostname = isNamed
    ? await questions.ask("Name that clients connect to", domain, (name) =>
        chosenHostname({ hostname: name }),
      )
    : undefined;
  return {
    domain,
    hostname,
    stateDir,
    tls: await askTls(questions, domain, tlsOptions(given)),
    turn: given["no-turn"] !== true && (await questions.yes("Calls", true)),
    shadowsocks: await questions.yes("Shadowsocks proxy, for users whose network blocks mail", false),
  };
}

async function askTls(questions: Questions, domain: string, told: TlsOptions): Promise<TlsChoice> {
  if (told.mode !== undefined || told.cert !== undefined) return chosenTls(domain, told);
  const modes = ["acme", "self-signed", "file"];
  const fallback = domain.startsWith("[") ? "self-signed" : modes[0];
  const mode = await questions.ask(`Certificate: ${modes.join(", ")}`, fallback, (answer) => {
    if (modes.includes(answer)) return answer;
    throw new InstallError(`one of ${modes.join(", ")}, please`);
  });
  const file = (question: string) =>
    questions.ask(question, undefined, (path) => {
      if (existsSync(path)) return path;
      throw new InstallError(`${path} is not there`);
    });
  if (mode === "file") {
    const cert = await file("File with the certificate chain");
    return chosenTls(domain, { mode, cert, key: await file("File with its key") });
  }
  if (mode !== "acme") return chosenTls(domain, { mode });
  return questions.ask("Address that the authority may write to, or - for none", "-", (answer) =>
    chosenTls(domain, { mode, email: answer === "-" ? undefined : answer }),
  );
}

function tlsOptions(given: Args): TlsOptions {
  return {
    mode: asText(given.tls),
    cert: asText(given.cert),
    key: asText(given.key),
    email: asText(given.email),
  };
}

function reportPlan(globals: Globals, installation: Installation, list: StepList): void {
  const { places, configText, machine, config, isConfigured } = installation;
  const records = recordsFor(machine, places, config, systemClock);
  const taken = obstacles(installation);
  const lines = [
    ...taken.map((line) => `in the way: ${line}`),
    ...(isConfigured ? [] : [`\n--- ${places.configFile}\n${configText}`]),
    `\n--- ${places.unit}\n${serviceUnit(places)}`,
    ...(records.length === 0
      ? []
      : ["\n--- DNS records, and the DKIM keys that will be made", ...recordLines(records)]),
    "\nNothing was changed.",
  ];
  report(globals, "install", lines.join("\n"), {
    dryRun: true,
    steps: list.steps,
    taken,
    config: configText,
    unit: serviceUnit(places),
    records,
  });
}

async function reportDone(
  globals: Globals,
  installation: Installation,
  list: StepList,
  did: { units: boolean; start: boolean; dns: boolean },
): Promise<void> {
  const { machine, places, config } = installation;
  const asksDns = did.dns && machine.root === "/";
  const findings = asksDns ? await recordFindings(machine, places, config, systemClock) : undefined;
  const records = findings?.filter(({ state }) => state !== "ok" && state !== "unchecked");
  const wanted = records ?? recordsFor(machine, places, config, systemClock);
  const firewall = await firewallHints(machine, config);
  const link = firstAccount(config);
  const pending = config.tls.mode === "acme" ? ", once the certificate has come" : "";
  const runs = did.units && did.start && machine.hasSystemd;
  const panel = runs ? await panelLink(config) : undefined;
  const lines = [
    ...(wanted.length === 0 ? [] : ["\nPublish these DNS records:\n", ...recordLines(wanted)]),
    ...(firewall.length === 0 ? [] : ["", ...firewall.map((line, i) => (i === 0 ? line : `  ${line}`))]),
    ...(link === undefined
      ? []
      : [`\nThe first account${pending}. Scan this with Delta Chat, or open the link:\n`]),
    ...(link === undefined ? [] : [renderUnicodeCompact(link, { border: 2 }), `  ${link}`]),
    ...(panel === undefined
      ? []
      : ["\nThe admin panel; this link opens it once, within a quarter of an hour:\n"]),
    ...(panel === undefined ? [] : [`  ${panel}`]),
    "",
    runs
      ? `${places.name} runs. See it with: systemctl status ${places.name}`
      : nextStep(machine, installation, did),
  ];
  report(globals, "install", lines.join("\n"), {
    dryRun: false,
    steps: list.steps,
    config: places.configFile,
    records: wanted,
    firewall,
    link,
    panel,
    running: runs,
  });
}

function nextStep(machine: Machine, { places }: Installation, did: { units: boolean }): string {
  const byHand = `${places.link} run --config ${places.configFile}`;
  if (!did.units) return `Next, as user ${places.name}: ${byHand}`;
  return machine.hasSystemd || machine.root !== "/"
    ? `Next: systemctl enable --now ${places.name}`
    : `systemd does not run here. By hand, as user ${places.name}: ${byHand}`;
}

function recordLines(records: readonly ZoneRecord[]): string[] {
  return records.map((record) => `; ${record.need}: ${record.why}\n${zoneLine(record)}`);
}
