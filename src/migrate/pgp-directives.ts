/**
 * What a `maddy.conf` says about encryption, and what became of it: here the gate is always on, so nothing of it can be
 * taken over, and an operator should know what that changes.
 */
import type { Directive } from "./maddy-conf.ts";

export interface PgpDirective {
  file: string;
  /** From 1. */
  line: number;
  name: string;
  args: readonly string[];
  meaning: string;
}

const meanings: Record<string, (args: readonly string[]) => string> = {
  require_pgp: ([value = "yes"]) =>
    isYes(value) ? "always so here" : "CHANGES: mail in clear is refused here, whoever sends it",
  pgp_allow_secure_join: ([value = "yes"]) =>
    isYes(value) ? "always so here" : "CHANGES: the requests that start a Secure-Join get through here",
  pgp_passthrough_senders: (args) =>
    `CHANGES: nobody gets past the gate here; until now ${args.length} senders did`,
  pgp_passthrough_recipients: (args) =>
    `CHANGES: nobody gets past the gate here; until now ${args.length} recipients did`,
};

/** In the order of the file, blocks included. */
export function pgpDirectives(directives: readonly Directive[]): PgpDirective[] {
  return directives.flatMap((directive) => {
    const { name, args, file, line, block } = directive;
    const meaning = Object.hasOwn(meanings, name) ? meanings[name]?.(args) : undefined;
    const own = meaning === undefined ? [] : [{ file, line, name, args, meaning }];
    return [...own, ...pgpDirectives(block ?? [])];
  });
}

function isYes(value: string): boolean {
  return /^(yes|true|on|1)$/i.test(value);
}
