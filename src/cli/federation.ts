/** `madmail federation …`: with which servers mail is exchanged, and how it goes. */
import { type CommandDef, defineCommand } from "citty";
import type { OutputOf } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { confirmed, operate } from "./operate.ts";
import { CommandError, report, time } from "./output.ts";

const DOMAIN_WIDTH = 32;
const SERVERS_SHOWN = 50;

const yes = { type: "boolean" as const, alias: "y", description: "Do not ask" };
const domain = {
  type: "positional" as const,
  required: true as const,
  description: "A mail domain or an IP address",
};

export function federationCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: { name: "federation", description: "Mail to and from other servers: rules, figures, tests" },
    subCommands: {
      status: defineCommand({
        meta: { name: "status", description: "Policy, totals, and how it goes with each server" },
        run: () => status(globals),
      }),
      list: defineCommand({
        meta: { name: "list", description: "The policy and its exceptions" },
        run: () => list(globals),
      }),
      policy: defineCommand({
        meta: { name: "policy", description: "Let servers without a rule in, or keep them out" },
        args: {
          policy: { type: "positional", required: true, description: "`accept` or `reject`" },
          expected: { type: "string", description: "Change nothing unless this is the policy now" },
        },
        run: ({ args }) => setPolicy(globals, args.policy, args.expected),
      }),
      enable: switchCommand(globals, true),
      disable: switchCommand(globals, false),
      block: defineCommand({
        meta: { name: "block", description: "Exchange no mail with a server" },
        args: { domain },
        run: ({ args }) => judge(globals, "block", args.domain),
      }),
      allow: defineCommand({
        meta: { name: "allow", description: "Exchange mail with a server" },
        args: { domain },
        run: ({ args }) => judge(globals, "allow", args.domain),
      }),
      remove: defineCommand({
        meta: { name: "remove", description: "Treat a server as the policy says" },
        args: { domain },
        run: ({ args }) => removeRule(globals, args.domain),
      }),
      flush: defineCommand({
        meta: { name: "flush", description: "Remove every rule" },
        args: { yes },
        run: ({ args }) => flush(globals, "federation flush", "federation.rules", args.yes),
      }),
      dismiss: defineCommand({
        meta: { name: "dismiss", description: "Accept mail to a server, and throw it away" },
        args: { domain },
        run: ({ args }) => dismiss(globals, args.domain),
      }),
      undismiss: defineCommand({
        meta: { name: "undismiss", description: "Send mail to a server again" },
        args: { domain },
        run: ({ args }) => undismiss(globals, args.domain),
      }),
      "dismiss-list": defineCommand({
        meta: { name: "dismiss-list", description: "Servers to which mail is thrown away" },
        run: () => dismissList(globals),
      }),
      "dismiss-flush": defineCommand({
        meta: { name: "dismiss-flush", description: "Send mail to all of them again" },
        args: { yes },
        run: ({ args }) => flush(globals, "federation dismiss-flush", "federation.dismissed", args.yes),
      }),
      test: defineCommand({
        meta: { name: "test", description: "Ask a server's DNS, HTTPS and SMTP how mail would get there" },
        args: { domain },
        run: ({ args }) => testServer(globals, args.domain),
      }),
    },
  });
}

async function status(globals: Globals): Promise<void> {
  const data = await operate(globals, async (caller) => ({
    ...(await caller.call("federation.get", {})),
    traffic: await caller.call("federation.traffic", {}),
    servers: (await caller.call("federation.servers", {})).servers,
  }));
  const { traffic } = data;
  const { perfect, federated, bad } = traffic.health;
  const hidden = data.servers.length - SERVERS_SHOWN;
  const lines = [
    policyText(data),
    `from others ${traffic.inbound}, to others ${traffic.outbound}, waiting ${traffic.queued}, failed attempts ${traffic.expired}`,
    `mean time to deliver ${Math.round(traffic.meanLatencyMs)} ms; servers: ${perfect} without trouble, ${federated} with some, ${bad} bad`,
    ...data.servers.slice(0, SERVERS_SHOWN).map(serverLine),
    ...(hidden > 0 ? [`and ${hidden} more`] : []),
  ];
  report(globals, "federation status", lines.join("\n"), data);
}

function serverLine(row: OutputOf<"federation.servers">["servers"][number]): string {
  const failures = row.failedHttp + row.failedHttps + row.failedSmtp;
  const trouble = row.lastError === "" ? "" : `  ${row.lastError}`;
  return `  ${row.domain.padEnd(DOMAIN_WIDTH)} in ${row.inboundDeliveries}  out ${row.successfulDeliveries}  waiting ${row.queuedMessages}  failed ${failures}  ${row.health}${trouble}`;
}

function policyText({ enabled, policy, rules, dismissed }: OutputOf<"federation.get">): string {
  if (!enabled) return "federation is off: no mail to or from other servers";
  const word = policy === "ACCEPT" ? "everybody but" : "nobody but";
  return `policy ${policy}: ${word} ${rules} servers; mail to ${dismissed} is thrown away`;
}

async function list(globals: Globals): Promise<void> {
  const data = await operate(globals, async (caller) => ({
    ...(await caller.call("federation.get", {})),
    domains: (await caller.call("federation.rules.list", {})).domains,
  }));
  const word = data.policy === "ACCEPT" ? "blocked" : "allowed";
  const lines = data.domains.map(
    ({ domain: name, createdAtSec }) =>
      `${name.padEnd(DOMAIN_WIDTH)} ${word} since ${time(createdAtSec * 1000)}`,
  );
  report(globals, "federation list", [policyText(data), ...lines].join("\n"), data);
}

async function setPolicy(globals: Globals, policy: string, expected: string | undefined): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("federation.setPolicy", { policy, expected }));
  report(globals, "federation policy", policyText(data), data);
}

function switchCommand(globals: Globals, enabled: boolean): CommandDef {
  const name = enabled ? "enable" : "disable";
  return defineCommand({
    meta: {
      name,
      description: enabled ? "Exchange mail with other servers" : "Exchange mail with no other server",
    },
    async run() {
      const data = await operate(globals, (caller) => caller.call("federation.setEnabled", { enabled }));
      report(globals, `federation ${name}`, policyText(data), data);
    },
  });
}

/** Under ACCEPT a rule keeps out, under REJECT it lets in; the words here are those of people. */
async function judge(globals: Globals, word: "block" | "allow", name: string): Promise<void> {
  await operate(globals, async (caller) => {
    const { policy } = await caller.call("federation.get", {});
    const isException = (word === "block") === (policy === "ACCEPT");
    const operation = isException ? "federation.rules.add" : "federation.rules.remove";
    const { domain: key } = await caller.call(operation, { domain: name });
    const text = `${key}: ${word === "block" ? "blocked" : "allowed"} (policy ${policy})`;
    report(globals, `federation ${word}`, text, { domain: key, policy, rule: isException });
  });
}

async function removeRule(globals: Globals, name: string): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("federation.rules.remove", { domain: name }));
  if (!data.removed) throw new CommandError(`there is no rule for ${data.domain}`);
  report(globals, "federation remove", `${data.domain}: as the policy says`, data);
}

async function flush(
  globals: Globals,
  command: string,
  which: "federation.rules" | "federation.dismissed",
  isSure: boolean | undefined,
): Promise<void> {
  await operate(globals, async (caller) => {
    const { total } = await caller.call(`${which}.list`, {});
    if (!(await confirmed(globals, command, `remove ${total} entries`, isSure))) return;
    const data = await caller.call(`${which}.clear`, {});
    report(globals, command, `${data.removed} removed`, data);
  });
}

async function dismiss(globals: Globals, name: string): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("federation.dismissed.add", { domain: name }));
  report(globals, "federation dismiss", `${data.domain}: mail to it is thrown away`, data);
}

async function undismiss(globals: Globals, name: string): Promise<void> {
  const data = await operate(globals, (caller) =>
    caller.call("federation.dismissed.remove", { domain: name }),
  );
  if (!data.removed) throw new CommandError(`mail to ${data.domain} is not thrown away`);
  report(globals, "federation undismiss", `${data.domain}: mail goes there again`, data);
}

async function dismissList(globals: Globals): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("federation.dismissed.list", {}));
  const lines = data.domains.map(
    ({ domain: name, createdAtSec }) => `${name.padEnd(DOMAIN_WIDTH)} since ${time(createdAtSec * 1000)}`,
  );
  report(globals, "federation dismiss-list", lines.length > 0 ? lines.join("\n") : "none", data);
}

async function testServer(globals: Globals, name: string): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("federation.test", { domain: name }));
  report(globals, "federation test", testText(data), data);
}

function testText(data: OutputOf<"federation.test">): string {
  const lines = [
    `${data.domain}: ${data.works ? "mail would get there" : "mail would not get there"}`,
    `rules     ${data.allowed ? "let mail go there" : "keep mail from it"}`,
    ...(data.override === null ? [] : [`routing   ${data.override} (your own entry)`]),
    `hosts     ${data.mx.hosts.join(", ") || "none"}${data.mx.why === "" ? "" : ` (${data.mx.why})`}`,
    `MTA-STS   ${data.mtaSts ?? "none"}`,
  ];
  for (const { host, addresses, why, ways } of data.hosts) {
    lines.push(`${host}  ${addresses.join(", ") || why}`);
    for (const way of ways) {
      const { certificate } = way;
      const shown =
        certificate === null
          ? ""
          : `; certificate for ${certificate.names.join(", ")} by ${certificate.issuer}, until ${certificate.notAfter}`;
      lines.push(
        `  ${way.route.padEnd(6)}${way.port}  ${way.works ? "works" : "fails"}  ${way.said}  TLS ${way.tls}${shown}  ${way.ms} ms`,
      );
    }
  }
  return lines.join("\n");
}
