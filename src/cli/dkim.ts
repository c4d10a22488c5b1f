/** `madmail dkim show|check|rotate`: the keys that sign this relay's mail. */
import { type CommandDef, defineCommand } from "citty";
import { confirmShown, keyShown } from "../app/dkim.ts";
import { DkimKeyError, type DkimKeys, type KeyFacts } from "../app/dkim-keys.ts";
import { createResolver } from "../app/federation.ts";
import { dnsDomains, txtStrings } from "../app/zone.ts";
import type { Domain } from "../core/address.ts";
import { systemClock } from "../core/clock.ts";
import { openKeys } from "./dns.ts";
import type { Globals } from "./globals.ts";
import { CommandError, report } from "./output.ts";

const NOTHING = "This relay is an IP address only: its mail is not signed.";

export function dkimCommand(globals: Globals): CommandDef {
  return defineCommand({
    meta: { name: "dkim", description: "Show, check or replace the keys that sign mail" },
    subCommands: {
      show: defineCommand({
        meta: { name: "show", description: "Print the key records, in one line and cut for zone files" },
        run() {
          const { config, keys } = openKeys(globals);
          const shown = dnsDomains(config.domains).flatMap((domain) => describe(keys, domain));
          report(globals, "dkim show", shown.map(renderKey).join("\n\n") || NOTHING, { keys: shown });
        },
      }),
      check: defineCommand({
        meta: { name: "check", description: "Compare keys and DNS; exit code 1 when mail would not verify" },
        run: () => check(globals),
      }),
      rotate: defineCommand({
        meta: { name: "rotate", description: "Make new keys; they sign once the DNS shows them" },
        run() {
          const { config, keys } = openKeys(globals);
          const domains = dnsDomains(config.domains);
          if (domains.length === 0) throw new CommandError(NOTHING);
          const made = rotate(keys, domains);
          const shown = domains
            .flatMap((domain) => describe(keys, domain))
            .filter(({ selector }) => made.includes(selector));
          const text = `New keys. Publish them; until the DNS shows them, the old ones sign. Keep the old records for a week.`;
          report(globals, "dkim rotate", `${text}\n\n${shown.map(renderKey).join("\n\n")}`, { keys: shown });
        },
      }),
    },
  });
}

async function check(globals: Globals): Promise<void> {
  const { config, keys } = openKeys(globals);
  const domains = dnsDomains(config.domains);
  const resolver = createResolver(config, systemClock);
  const asked = await Promise.all(
    domains.flatMap((domain) =>
      keys.all().map(async (key) => ({
        domain,
        selector: key.selector,
        algorithm: key.algorithm,
        state: await keyShown(resolver, key, domain),
      })),
    ),
  );
  // What the check has seen counts as if the running relay had.
  const log = { emit: () => {}, counts: () => new Map<string, number>() };
  await confirmShown({ keys, resolver, domains, log });
  const states = asked.map((each) => ({ ...each, signs: signs(keys, each.domain, each.selector) }));
  const lines = states.map(({ domain, selector, state, signs: isSigning }) => {
    return `${state.padEnd(10)}${isSigning ? "signs" : "-    "}  ${selector}._domainkey.${domain}`;
  });
  report(globals, "dkim check", lines.join("\n") || NOTHING, { keys: states });
  if (states.some(({ signs: isSigning, state }) => isSigning && state !== "shown")) process.exitCode = 1;
}

function rotate(keys: DkimKeys, domains: readonly Domain[]): string[] {
  try {
    return keys.rotate(domains, systemClock.nowMs());
  } catch (error) {
    if (error instanceof DkimKeyError) throw new CommandError(error.message, { cause: error });
    throw error;
  }
}

interface KeyDescription {
  domain: Domain;
  selector: string;
  algorithm: KeyFacts["algorithm"];
  name: string;
  /** The TXT record in one piece, as most DNS panels want it. */
  record: string;
  /** The same, cut as zone files want it. */
  zone: string;
  signs: boolean;
}

function describe(keys: DkimKeys, domain: Domain): KeyDescription[] {
  return keys.all().map(({ selector, algorithm, record }) => {
    const name = `${selector}._domainkey.${domain}`;
    const strings = txtStrings(record).map((text) => `"${text}"`);
    return {
      domain,
      selector,
      algorithm,
      name,
      record,
      zone: `${name}. IN TXT ( ${strings.join(" ")} )`,
      signs: signs(keys, domain, selector),
    };
  });
}

function signs(keys: DkimKeys, domain: Domain, selector: string): boolean {
  return keys.signing(domain).some((key) => key.selector === selector);
}

function renderKey({ name, record, zone, signs: isSigning }: KeyDescription): string {
  const state = isSigning ? "signs" : "does not sign";
  return `${name} (TXT; ${state})\n${record}\n\nthe same for a zone file:\n${zone}`;
}
