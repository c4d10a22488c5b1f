/** LIST: RFC 9051 §6.3.9, with LIST-EXTENDED (RFC 5258), LIST-STATUS (RFC 5819) and SPECIAL-USE (RFC 6154). */
import type { Args } from "../args.ts";
import { command } from "../command.ts";
import { canonicalPattern, matchesListPattern } from "../list-pattern.ts";
import { decodeUtf7, SEPARATOR } from "../mailbox-name.ts";
import { openMailbox } from "../open-mailbox.ts";
import type { Outcome, Session } from "../session.ts";
import { specialUseOf } from "../special-use.ts";
import { formatStatus, readStatusItems } from "../status-items.ts";
import { isAscii, utf8Text } from "../text.ts";

interface Wanted {
  select: ReadonlySet<string>;
  reference: string;
  patterns: readonly string[];
  returns: ReadonlySet<string>;
  status: readonly string[] | undefined;
}

const SELECT_OPTIONS = new Set(["SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"]);
const RETURN_OPTIONS = new Set(["SUBSCRIBED", "CHILDREN", "SPECIAL-USE"]);

export const list = command({ name: "LIST", allowed: "authenticated", parse, run });

function parse(args: Args): Wanted {
  args.space();
  const select = new Set<string>();
  if (args.peek() === "(") {
    for (const option of args.list(() => args.word())) select.add(option);
    args.space();
    if (![...select].every((option) => SELECT_OPTIONS.has(option))) args.fail("unknown selection option");
    // RFC 5258 §3: RECURSIVEMATCH needs something to match.
    if (select.has("RECURSIVEMATCH") && !select.has("SUBSCRIBED")) args.fail("RECURSIVEMATCH stands alone");
  }
  const reference = args.astring();
  args.space();
  const patterns = args.peek() === "(" ? args.list(() => args.listMailbox()) : [args.listMailbox()];
  const returns = new Set<string>();
  let status: readonly string[] | undefined;
  if (args.more()) {
    args.expect("RETURN");
    args.space();
    args.list(() => {
      const option = args.word();
      if (option === "STATUS") {
        args.space();
        status = readStatusItems(args);
      } else if (RETURN_OPTIONS.has(option)) returns.add(option);
      else args.fail("unknown return option");
    });
  }
  return { select, reference, patterns, returns, status };
}

async function run(session: Session, wanted: Wanted): Promise<Outcome> {
  if (wanted.patterns.length === 1 && wanted.patterns[0] === "") {
    // RFC 9051 §6.3.9: an empty pattern asks for the separator.
    session.send(`* LIST (\\Noselect) "${SEPARATOR}" ""`);
    return "OK List completed";
  }
  const account = await session.account();
  const existing = new Set(account.mailboxes());
  const subscribed = account.subscriptions();
  const patterns = wanted.patterns.map((pattern) => decodePattern(wanted.reference + pattern));
  const onlySubscribed = wanted.select.has("SUBSCRIBED");
  const names = onlySubscribed ? [...subscribed].sort() : [...existing];
  const shown = wanted.select.has("RECURSIVEMATCH") || !onlySubscribed ? withParents(names) : new Set(names);
  for (const name of shown) {
    if (!patterns.some((pattern) => matchesListPattern(pattern, name))) continue;
    const use = existing.has(name) ? specialUseOf(name) : undefined;
    if (wanted.select.has("SPECIAL-USE") && use === undefined) continue;
    const attributes = describe(name, existing, subscribed, wanted);
    if (use !== undefined) attributes.push(use);
    const childInfo = recursiveInfo(name, subscribed, wanted);
    session.send(`* LIST (${attributes.join(" ")}) "${SEPARATOR}" ${session.nameOut(name)}${childInfo}`);
    if (wanted.status !== undefined && existing.has(name)) await sendStatus(session, name, wanted.status);
  }
  return "OK List completed";
}

function describe(
  name: string,
  existing: ReadonlySet<string>,
  subscribed: ReadonlySet<string>,
  wanted: Wanted,
): string[] {
  const attributes: string[] = [];
  if (!existing.has(name)) attributes.push("\\NonExistent", "\\Noselect");
  const wantsSubscribed = wanted.select.has("SUBSCRIBED") || wanted.returns.has("SUBSCRIBED");
  if (wantsSubscribed && subscribed.has(name)) attributes.push("\\Subscribed");
  attributes.push(hasChild(name, existing) ? "\\HasChildren" : "\\HasNoChildren");
  return attributes;
}

/** RFC 5258 §3.5 CHILDINFO: why a mailbox is shown that was not asked for itself. */
function recursiveInfo(name: string, subscribed: ReadonlySet<string>, wanted: Wanted): string {
  if (!wanted.select.has("RECURSIVEMATCH") || !hasChild(name, subscribed)) return "";
  return ' ("CHILDINFO" ("SUBSCRIBED"))';
}

function hasChild(name: string, names: ReadonlySet<string>): boolean {
  const prefix = name + SEPARATOR;
  for (const other of names) if (other.startsWith(prefix)) return true;
  return false;
}

/** The names and the levels above them, which need not exist. */
export function withParents(names: readonly string[]): Set<string> {
  const all = new Set<string>();
  for (const name of names) {
    for (let at = name.indexOf(SEPARATOR); at > 0; at = name.indexOf(SEPARATOR, at + 1))
      all.add(name.slice(0, at));
    all.add(name);
  }
  return all;
}

/** A pattern in the encoding of names inside. A malformed one matches nothing that exists. */
export function decodePattern(wire: string): string {
  return canonicalPattern((isAscii(wire) ? decodeUtf7(wire) : utf8Text(wire)) ?? wire);
}

async function sendStatus(session: Session, name: string, items: readonly string[]): Promise<void> {
  const mailbox = await openMailbox(session, name);
  if (mailbox === undefined) return;
  session.send(`* STATUS ${session.nameOut(name)} (${formatStatus(mailbox, items, session.settings)})`);
  mailbox.release();
}
