/** Commands that open the relay's ports in the firewall that is there. They are shown, never run. */
import type { Config } from "../../config/config.ts";
import type { Machine } from "./machine.ts";
import { type WantedPort, wantedPorts } from "./ports.ts";

type Firewall = "ufw" | "firewalld" | "nftables" | "iptables";

/** @returns the firewall found and what to type; no lines where none is active */
export async function firewallHints(machine: Machine, config: Config): Promise<string[]> {
  const found = await activeFirewall(machine);
  if (found === undefined) return [];
  const ports = wantedPorts(config);
  const { turn } = config;
  const relayed = turn.enabled ? `${turn.relay_port_min}-${turn.relay_port_max}` : undefined;
  return [`${found} is active. To let clients and servers in:`, ...commands[found](ports, relayed)];
}

const commands: Record<Firewall, (ports: WantedPort[], relayed: string | undefined) => string[]> = {
  ufw: (ports, relayed) => [
    ...ports.map(({ port, protocol }) => `ufw allow ${port}/${protocol}`),
    ...(relayed === undefined ? [] : [`ufw allow ${relayed.replace("-", ":")}/udp`]),
  ],
  firewalld: (ports, relayed) => [
    ...ports.map(({ port, protocol }) => `firewall-cmd --permanent --add-port=${port}/${protocol}`),
    ...(relayed === undefined ? [] : [`firewall-cmd --permanent --add-port=${relayed}/udp`]),
    "firewall-cmd --reload",
  ],
  nftables: (ports, relayed) =>
    (["tcp", "udp"] as const).flatMap((protocol) => {
      const set = list(ports, protocol, protocol === "udp" ? relayed : undefined);
      return set.length === 0
        ? []
        : [`nft add rule inet filter input ${protocol} dport { ${set.join(", ")} } accept`];
    }),
  iptables: (ports, relayed) =>
    ["iptables", "ip6tables"].flatMap((program) => [
      ...ports.map(({ port, protocol }) => `${program} -I INPUT -p ${protocol} --dport ${port} -j ACCEPT`),
      ...(relayed === undefined
        ? []
        : [`${program} -I INPUT -p udp --dport ${relayed.replace("-", ":")} -j ACCEPT`]),
    ]),
};

function list(ports: readonly WantedPort[], protocol: string, more: string | undefined): string[] {
  const own = ports.filter((each) => each.protocol === protocol).map(({ port }) => String(port));
  return more === undefined ? own : [...own, more];
}

async function activeFirewall(machine: Machine): Promise<Firewall | undefined> {
  const says = async (command: readonly [string, ...string[]], pattern: RegExp) => {
    if (!machine.has(command[0])) return false;
    const { code, output } = await machine.run(command);
    return code === 0 && pattern.test(output);
  };
  if (await says(["ufw", "status"], /^Status: active/m)) return "ufw";
  if (await says(["firewall-cmd", "--state"], /^running/m)) return "firewalld";
  // Only a chain that refuses by itself keeps anybody out.
  if (await says(["nft", "list", "ruleset"], /hook input[^}]*policy (drop|reject)/s)) return "nftables";
  if (await says(["iptables", "-S", "INPUT"], /^-P INPUT (DROP|REJECT)/m)) return "iptables";
  return undefined;
}
