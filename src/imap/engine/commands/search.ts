/**
 * SEARCH and UID SEARCH: RFC 9051 §6.4.4; with RETURN the answer is ESEARCH (RFC 4731), else SEARCH (RFC 3501 §7.2.5).
 * RETURN (SAVE) keeps what was found for `$` (RFC 5182).
 */
import type { Args } from "../args.ts";
import { command } from "../command.ts";
import { asksModseq, readSearchKeys, type SearchKey } from "../search/keys.ts";
import { Matcher } from "../search/match.ts";
import { formatSet } from "../sequence-set.ts";
import type { Outcome, Session } from "../session.ts";
import { quote } from "../text.ts";

const RETURNS: ReadonlySet<string> = new Set(["MIN", "MAX", "ALL", "COUNT", "SAVE"]);
const CHARSETS: ReadonlySet<string> = new Set(["US-ASCII", "UTF-8"]);
/** Messages between two pauses for other sessions. */
const BATCH = 2000;

interface Wanted {
  /** Undefined: the old form of answer. */
  returns: ReadonlySet<string> | undefined;
  charset: string;
  key: SearchKey;
}

export const search = searching("SEARCH", false);
export const uidSearch = searching("UID SEARCH", true);

function searching(name: string, byUid: boolean) {
  return command({
    name,
    allowed: "selected",
    news: byUid ? "all" : "noExpunge",
    parse,
    run: (session, wanted, tag) => run(session, wanted, byUid, tag),
  });
}

function parse(args: Args): Wanted {
  args.space();
  let returns: Set<string> | undefined;
  if (args.take("RETURN ")) {
    const options = args.list(() => args.word());
    if (!options.every((option) => RETURNS.has(option))) args.fail("unknown return option");
    // RFC 4731 §3.1: an empty list means ALL.
    returns = new Set(options.length === 0 ? ["ALL"] : options);
    args.space();
  }
  let charset = "US-ASCII";
  if (args.take("CHARSET ")) {
    charset = args.astring().toUpperCase();
    args.space();
  }
  return { returns, charset, key: readSearchKeys(args) };
}

async function run(session: Session, wanted: Wanted, byUid: boolean, tag: string): Promise<Outcome> {
  const { returns, key } = wanted;
  const selected = session.mailbox;
  const saves = returns?.has("SAVE") === true;
  if (!CHARSETS.has(wanted.charset)) {
    if (saves) selected.saved = [];
    return "NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset";
  }
  const tellsModseq = asksModseq(key);
  if (tellsModseq) session.condstore = true;
  const found = await findAll(session, key).catch((error: unknown) => {
    // RFC 5182 §2.1: nothing stays saved when such a search fails.
    if (saves) selected.saved = [];
    throw error;
  });
  const numbers = byUid ? found : found.map((uid) => selected.sequenceOf(uid));
  const shown = returns === undefined ? found : narrow(found, returns);
  if (saves) selected.saved = shown;
  // RFC 4731 §3.2: of the messages that the answer names.
  const modseq =
    tellsModseq && found.length > 0
      ? shown.reduce((most, uid) => Math.max(most, selected.mailbox.find(uid)?.modseq ?? 0), 0)
      : undefined;
  if (returns === undefined) {
    session.send(["* SEARCH", ...numbers, ...(modseq === undefined ? [] : [`(MODSEQ ${modseq})`])].join(" "));
  } else if (!saves || returns.size > 1) {
    session.send(formatEsearch(numbers, returns, modseq, byUid, tag));
  }
  return saves ? "OK Search completed, result saved" : "OK Search completed";
}

/** @returns UIDs, ascending */
async function findAll(session: Session, key: SearchKey): Promise<number[]> {
  const selected = session.mailbox;
  const matcher = new Matcher(selected);
  const found: number[] = [];
  // By what the client knows: the index may grow and shrink while bodies are read.
  const count = selected.count;
  for (let sequence = 1; sequence <= count && !session.closed; sequence++) {
    const info = selected.mailbox.find(selected.uidAt(sequence));
    if (info === undefined) continue;
    const matches = matcher.matches(key, info);
    if (typeof matches === "boolean" ? matches : await matches) found.push(info.uid);
    if (sequence % BATCH === 0) await pause(session);
  }
  return found;
}

/** What the answer is about: with MIN and MAX alone only these (RFC 4731 §3.2, RFC 5182 §2.4). */
function narrow(found: readonly number[], returns: ReadonlySet<string>): readonly number[] {
  const [first] = found;
  const last = found.at(-1);
  const ends = returns.has("MIN") || returns.has("MAX");
  if (!ends || returns.has("ALL") || returns.has("COUNT") || first === undefined || last === undefined) {
    return found;
  }
  if (!returns.has("MAX")) return [first];
  return returns.has("MIN") && first !== last ? [first, last] : [last];
}

/** Lets other sessions have their turn. */
function pause(session: Session): Promise<void> {
  return new Promise((resolve) => {
    session.services.clock.after(0, resolve);
  });
}

function formatEsearch(
  numbers: readonly number[],
  returns: ReadonlySet<string>,
  modseq: number | undefined,
  byUid: boolean,
  tag: string,
): string {
  let line = `* ESEARCH (TAG ${quote(tag)})${byUid ? " UID" : ""}`;
  const [first] = numbers;
  const last = numbers.at(-1);
  if (first !== undefined && returns.has("MIN")) line += ` MIN ${first}`;
  if (last !== undefined && returns.has("MAX")) line += ` MAX ${last}`;
  if (first !== undefined && returns.has("ALL")) line += ` ALL ${formatSet(numbers)}`;
  if (returns.has("COUNT")) line += ` COUNT ${numbers.length}`;
  return modseq === undefined ? line : `${line} MODSEQ ${modseq}`;
}
