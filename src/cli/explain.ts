/**
 * `madmail explain FILE --from A --to B`: which check accepts or refuses this message. Only the signatures of mail
 * from another server need the DNS.
 */
import { readFileSync } from "node:fs";
import { defineCommand } from "citty";
import { createResolver } from "../app/federation.ts";
import { locateConfig } from "../config/locate.ts";
import { readConfig } from "../config/read.ts";
import { type Address, type Domain, domainOf, parseAddress, parseDomain } from "../core/address.ts";
import { systemClock } from "../core/clock.ts";
import { refusals } from "../core/verdict.ts";
import { headerEnd } from "../mime/header.ts";
import { createMessageScanner } from "../pgp/scanner.ts";
import { type Explanation, explain, type OriginFact } from "../policy/admit.ts";
import { OriginChecker, type OriginFinding, type OriginMode } from "../policy/origin.ts";
import type { Globals } from "./globals.ts";
import { CommandError, report } from "./output.ts";

/** What an unconfigured relay takes. */
const MESSAGE_MAX_BYTES = 31_457_280;

export function explainCommand(globals: Globals) {
  return defineCommand({
    meta: { name: "explain", description: "Say why a message would be accepted or refused" },
    args: {
      file: { type: "positional", required: true, description: "The message, as a file (RFC 5322)" },
      from: { type: "string", required: true, description: "Envelope sender" },
      to: { type: "string", required: true, description: "Envelope recipient" },
      via: {
        type: "enum",
        options: ["submission", "smtp"],
        default: "submission",
        description: "From a user, or from another server",
      },
      offline: {
        type: "boolean",
        default: false,
        description: "Do not ask the DNS for keys: leave the origin of mail from another server open",
      },
    },
    async run({ args }) {
      const via = args.via === "smtp" ? "smtp" : "submission";
      const sender = address(args.from, "--from");
      const recipient = address(args.to, "--to");
      const bytes = read(args.file);
      const mode = args.offline || via === "submission" ? "off" : "strict";
      const { fact, outcomes } = await findOrigin(bytes, mode, globals);
      const local = domainOf(via === "smtp" ? recipient : sender);
      const result = { ...explainBytes(bytes, fact, { via, sender, local }), signatures: outcomes };
      report(globals, "explain", render(result), result);
    },
  });
}

function explainBytes(
  bytes: Uint8Array,
  origin: OriginFact,
  { via, sender, local }: { via: "submission" | "smtp"; sender: Address; local: Domain },
): Explanation {
  const scanner = createMessageScanner();
  scanner.write(bytes);
  const facts = {
    bytes: bytes.length,
    bytesMax: MESSAGE_MAX_BYTES,
    message: scanner.end(),
    isLocal: (domain: Domain) => parseDomain(domain) === local,
    origin,
  };
  return explain(facts, { via, sender, login: via === "submission" ? sender : null });
}

function findOrigin(bytes: Uint8Array, mode: OriginMode, globals: Globals): Promise<OriginFinding> {
  const file = globals.config ?? locateConfig();
  const servers =
    mode === "off" || file === undefined ? [] : readConfig(file, { stateDir: globals.stateDir }).dns.servers;
  const resolver = createResolver({ dns: { servers } }, systemClock);
  const probe = new OriginChecker({ resolver, clock: systemClock, mode: () => mode }).open();
  const end = headerEnd(bytes);
  if (end >= 0) {
    probe.header(bytes.subarray(0, end));
    probe.body(bytes.subarray(end));
  }
  return probe.finding();
}

/** Lines end with CRLF on the wire; a file from an editor may have bare LF. */
function read(file: string): Uint8Array {
  try {
    const text = readFileSync(file, "latin1");
    return Buffer.from(text.includes("\r\n") ? text : text.replaceAll("\n", "\r\n"), "latin1");
  } catch (error) {
    throw new CommandError(
      `${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})`,
    );
  }
}

function address(text: string, flag: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined)
    throw new CommandError(`${flag}: expected an address such as name@relay.example, found ${text}`);
  return parsed;
}

function render({ verdict, checks, signatures }: Explanation & { signatures: readonly string[] }): string {
  const lines = checks
    .filter(({ outcome }) => outcome !== "skipped")
    .map(
      ({ check, outcome, flaw }) =>
        `  ${check.padEnd(16)}${outcome}${flaw === undefined ? "" : ` (${flaw})`}`,
    );
  if (signatures.length > 0) lines.push(`  signatures      ${signatures.join(", ")}`);
  const [smtp, enhanced, , text] =
    verdict.do === "accept" ? ([250, "2.0.0", 200, "OK"] as const) : refusals[verdict.why];
  return `${lines.join("\n")}\n${verdict.do}: ${smtp} ${enhanced} ${text}`;
}
