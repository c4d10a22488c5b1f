/** `madmail explain FILE --from A --to B`: which check accepts or refuses this message. Works offline. */
import { readFileSync } from "node:fs";
import { defineCommand } from "citty";
import { type Address, type Domain, domainOf, parseAddress, parseDomain } from "../core/address.ts";
import { refusals } from "../core/verdict.ts";
import { createMessageScanner } from "../pgp/scanner.ts";
import { type Explanation, explain } from "../policy/admit.ts";
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
    },
    run({ args }) {
      const via = args.via === "smtp" ? "smtp" : "submission";
      const sender = address(args.from, "--from");
      const recipient = address(args.to, "--to");
      const result = explainFile(args.file, via, sender, domainOf(via === "smtp" ? recipient : sender));
      report(globals, "explain", render(result), result);
    },
  });
}

function explainFile(file: string, via: "submission" | "smtp", sender: Address, local: Domain): Explanation {
  const bytes = read(file);
  const scanner = createMessageScanner();
  scanner.write(bytes);
  const facts = {
    bytes: bytes.length,
    bytesMax: MESSAGE_MAX_BYTES,
    message: scanner.end(),
    isLocal: (domain: Domain) => parseDomain(domain) === local,
  };
  return explain(facts, { via, sender, login: via === "submission" ? sender : null });
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

function render({ verdict, checks }: Explanation): string {
  const lines = checks
    .filter(({ outcome }) => outcome !== "skipped")
    .map(
      ({ check, outcome, flaw }) =>
        `  ${check.padEnd(16)}${outcome}${flaw === undefined ? "" : ` (${flaw})`}`,
    );
  const [smtp, enhanced, , text] =
    verdict.do === "accept" ? ([250, "2.0.0", 200, "OK"] as const) : refusals[verdict.why];
  return `${lines.join("\n")}\n${verdict.do}: ${smtp} ${enhanced} ${text}`;
}
