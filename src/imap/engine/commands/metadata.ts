/**
 * GETMETADATA and SETMETADATA: RFC 5464. Delta Chat ends the whole session on NO or BAD to GETMETADATA, so what is
 * unknown is NIL and the answer OK. Values are literals behind their entry: the tests of chatmail relays read them so.
 */
import type { Args } from "../args.ts";
import { command } from "../command.ts";
import { METADATA_VALUE_MAX_BYTES } from "../limits.ts";
import { decodeMailboxName } from "../mailbox-name.ts";
import type { Session } from "../session.ts";
import { formatAstring, quote, utf8Bytes, utf8Text } from "../text.ts";

interface Wanted {
  mailbox: string;
  /** As the client wrote it, for the answer. */
  mailboxOut: string;
  entries: readonly string[];
  /** Longer values are left out (§4.2.1). */
  maxBytes: number;
  depth: number;
}

export const getMetadata = command({
  name: "GETMETADATA",
  allowed: "authenticated",
  parse: parseGet,
  async run(session, wanted) {
    let longest = 0;
    const shown: string[] = [];
    for (const entry of expand(wanted, session.services.metadata.entries(wanted.mailbox))) {
      const value = await lookUp(session, wanted.mailbox, entry);
      // Entries that the client did not name are shown only where they exist.
      if (value === undefined && !wanted.entries.includes(entry)) continue;
      const bytes = value === undefined ? undefined : utf8Bytes(value);
      if (bytes !== undefined && bytes.length > wanted.maxBytes) longest = Math.max(longest, bytes.length);
      else
        shown.push(
          `${formatAstring(entry)} ${bytes === undefined ? "NIL" : `{${bytes.length}}\r\n${bytes}`}`,
        );
    }
    if (shown.length > 0) session.send(`* METADATA ${quote(wanted.mailboxOut)} (${shown.join(" ")})`);
    const code = longest > 0 ? `[METADATA LONGENTRIES ${longest}] ` : "";
    return `OK ${code}Getmetadata completed`;
  },
});

export const setMetadata = command({
  name: "SETMETADATA",
  allowed: "authenticated",
  parse(args) {
    const { mailbox } = readTarget(args);
    args.space();
    const changes = args.list(() => {
      const entry = readEntry(args);
      args.space();
      return { entry, value: args.nstring() };
    });
    return { mailbox, changes };
  },
  async run(session, { mailbox, changes }) {
    const { user } = session;
    if (user === undefined) return "NO Not logged in";
    if (changes.some(({ value }) => (value ?? "").length > METADATA_VALUE_MAX_BYTES)) {
      return `NO [METADATA MAXSIZE ${METADATA_VALUE_MAX_BYTES}] Value too long`;
    }
    for (const { entry, value } of changes) {
      const text = value === undefined ? undefined : utf8Text(value);
      if (!(await session.services.metadata.set(user, mailbox, entry, text))) {
        return "NO [CANNOT] That entry can't be set";
      }
    }
    return "OK Setmetadata completed";
  },
});

/** §5: options stand before the mailbox. Clients that go by the examples of older drafts put them behind it. */
function parseGet(args: Args): Wanted {
  const options = { maxBytes: Number.POSITIVE_INFINITY, depth: 0 };
  args.space();
  if (args.peek() === "(") {
    readOptions(args, options);
    args.space();
  }
  const target = readName(args);
  args.space();
  if (args.stands("(DEPTH ") || args.stands("(MAXSIZE ")) {
    readOptions(args, options);
    args.space();
  }
  const entries = args.peek() === "(" ? args.list(() => readEntry(args)) : [readEntry(args)];
  return { ...target, ...options, entries };
}

function readOptions(args: Args, options: { maxBytes: number; depth: number }): void {
  args.list(() => {
    const option = args.word();
    args.space();
    if (option === "MAXSIZE") options.maxBytes = args.number();
    else if (option === "DEPTH")
      options.depth = args.take("infinity") ? Number.POSITIVE_INFINITY : args.number(1);
    else args.fail("unknown option");
  });
}

function readTarget(args: Args): { mailbox: string; mailboxOut: string } {
  args.space();
  return readName(args);
}

/** "" is the server itself. A name that no mailbox can have has no entries. */
function readName(args: Args): { mailbox: string; mailboxOut: string } {
  const wire = args.astring();
  return { mailbox: wire === "" ? "" : (decodeMailboxName(wire) ?? wire), mailboxOut: wire };
}

/** §3.2: entry names have no case. */
function readEntry(args: Args): string {
  return args.astring().toLowerCase();
}

/** §4.2.2: what is named, and as many levels below it as DEPTH says. */
function expand({ entries, depth }: Wanted, existing: readonly string[]): string[] {
  if (depth === 0) return [...new Set(entries)];
  const below = existing.filter((known) =>
    entries.some((entry) => {
      if (!known.startsWith(`${entry}/`)) return false;
      return known.slice(entry.length + 1).split("/").length <= depth;
    }),
  );
  return [...new Set([...entries, ...below])];
}

async function lookUp(session: Session, mailbox: string, entry: string): Promise<string | undefined> {
  const { user, services } = session;
  if (user === undefined) return undefined;
  try {
    return await services.metadata.get(user, mailbox, entry);
  } catch (error) {
    // A value that can't be had now is no reason to stop a client from fetching its mail.
    services.log.emit({ kind: "internalFault", where: "imap metadata", error });
    return undefined;
  }
}
