/** `madmail status`: the relay at a glance. */
import { defineCommand } from "citty";
import type { OutputOf } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { operate } from "./operate.ts";
import { report, time } from "./output.ts";

const NAME_WIDTH = 14;
const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;

type Status = OutputOf<"relay.status">;

export function statusCommand(globals: Globals) {
  return defineCommand({
    meta: { name: "status", description: "Whether it runs, its accounts, connections, and other servers" },
    args: { details: { type: "boolean", alias: "d", description: "Every port with its connections" } },
    async run({ args }) {
      const data = await operate(globals, async (caller) => ({
        ...(await caller.call("relay.status", {})),
        traffic: await caller.call("federation.traffic", {}),
        ports: args.details === true ? (await caller.call("ports.list", {})).ports : undefined,
      }));
      report(globals, "status", statusText(data), data);
    },
  });
}

function statusText(
  data: Status & {
    traffic: OutputOf<"federation.traffic">;
    ports: OutputOf<"ports.list">["ports"] | undefined;
  },
): string {
  const { services, connections, traffic, startedAtMs } = data;
  const sum = (...names: string[]) =>
    names.reduce((total, name) => total + (connections[name]?.connections ?? 0), 0);
  const state =
    startedAtMs === null ? "stopped" : `since ${time(startedAtMs)} (${uptime(Date.now() - startedAtMs)})`;
  const lines = [
    `madmail       ${data.version}, ${state}`,
    `relay         ${data.hostname}, ${data.accounts} accounts`,
    `IMAP          ${sum("imap", "imaps")} connections`,
    `submission    ${sum("submission", "submissions")} connections`,
    `SMTP          ${sum("smtp")} connections`,
    `HTTP          ${sum("http", "https")} connections (IMAP and submission on 443 among them)`,
    `TURN          ${services.turn ? `on, ${services.turnAllocations} calls` : "off"}`,
    `iroh          ${services.iroh ? `on, ${services.irohEndpoints} endpoints` : "off"}`,
    `Shadowsocks   ${services.shadowsocks ? `on, ${sum("shadowsocks")} connections` : "off"}`,
    `push          ${services.push}, ${services.pushesSent} sent since the start`,
    `other servers ${traffic.peers.domains} domains, ${traffic.peers.addresses} addresses; ${traffic.queued} messages wait`,
    ...Object.entries(data.messages).map(([name, count]) => `${name}  ${count}`),
    ...(data.pending.length > 0 ? [`waiting for \`madmail reload\`: ${data.pending.join(", ")}`] : []),
  ];
  for (const row of data.ports ?? []) {
    const bound = row.bound.join(", ") || "not listening";
    lines.push(
      `  ${row.service.padEnd(NAME_WIDTH)}${bound}  ${row.connections} connections of ${row.addresses} addresses`,
    );
  }
  return lines.join("\n");
}

/** `2d 5h 30m 0s` */
function uptime(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(s / DAY_S)}d ${Math.floor((s % DAY_S) / HOUR_S)}h ${Math.floor((s % HOUR_S) / MINUTE_S)}m ${s % MINUTE_S}s`;
}
