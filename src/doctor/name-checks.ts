/** What the DNS says, and whether another server can be reached. */
import type { Check } from "./check.ts";
import { fail, type Finding, found, skipped, type Trouble, warn } from "./finding.ts";
import type { World, ZoneRow } from "./world.ts";

export const nameChecks: readonly Check[] = [
  {
    name: "dkim",
    title: "DKIM keys in the DNS",
    asksOthers: true,
    needs: "books",
    run: (world) => checkRows(world, isKey, "the keys are published"),
  },
  {
    name: "dns",
    title: "DNS records",
    asksOthers: true,
    needs: "books",
    run: (world) => checkRows(world, (row) => !isKey(row), "the records that matter are published"),
  },
  {
    name: "peer",
    title: "Another server",
    asksOthers: true,
    needs: "running",
    timeMaxMs: 40_000,
    run: checkPeer,
  },
];

const isKey = ({ name }: ZoneRow) => name.includes("._domainkey.") && !name.startsWith("_adsp.");

async function checkRows(
  { zone }: World,
  isMeant: (row: ZoneRow) => boolean,
  said: string,
): Promise<Finding> {
  const all = await zone();
  if (all.length === 0) return skipped("an IP address has no DNS records");
  const troubles = all.filter(isMeant).flatMap((row) => rowTrouble(row) ?? []);
  return found(troubles.length === 0 ? said : "", ...troubles);
}

function rowTrouble({ state, need, name, type, why, line, found: shown }: ZoneRow): Trouble | undefined {
  // What is only nice to have is for `madmail dns check`.
  if (state === "ok" || state === "unchecked" || need === "optional") return undefined;
  const weigh = need === "required" ? fail : warn;
  if (state === "trouble") {
    return weigh(
      `nobody answers for ${type} ${name}`,
      "see that the name servers of this machine and of the domain work ([dns])",
    );
  }
  const what =
    state === "missing" ? `${type} ${name} is missing` : `${type} ${name} says ${shown.join(" and ")}`;
  return weigh(`${what} (${why})`, `publish: ${line.replace(/^; /, "")}`);
}

async function checkPeer({ peer, running, config }: World, stop: AbortSignal): Promise<Finding> {
  if (peer === undefined || running === undefined) return skipped("none was named: --peer DOMAIN");
  if (!config.federation.enabled) return skipped("federation is off");
  const { allowed, works, mx, hosts } = await running.testServer(peer, stop);
  const ways = hosts.flatMap(({ host, ways: each }) => each.map((way) => ({ host, ...way })));
  const told = ways.map(({ host, route, works: good, said, tls }) => {
    return `${route} to ${host}: ${good ? "works" : said || `TLS ${tls}`}`;
  });
  const refused = allowed
    ? undefined
    : fail(
        `the rules of this relay let no mail go to ${peer}`,
        "madmail federation allow, or another policy",
      );
  if (works) return found(`${peer}: ${told.filter((line) => line.endsWith("works")).join("; ")}`, refused);
  const why = [mx.hosts.length === 0 ? mx.why : "", ...hosts.map((host) => host.why), ...told];
  const what = `no way to ${peer}: ${why.filter((text) => text !== "").join("; ") || "its DNS names no host"}`;
  const mend =
    "if other servers can't be reached either, look at the firewall and whether the provider closes port 25; else it is theirs";
  return found("", refused, fail(what, mend));
}
