/**
 * The same IMAP sessions, some written by hand and more made from seeds, are played to Debian's Dovecot and to the
 * compiled relay. Answers must be the same, or differ in a way that differences.ts lists with its reason.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Difference } from "./difference.ts";
import { differences } from "./differences.ts";
import { whyNoDovecot } from "./dovecot.ts";
import { generatedSessions } from "./grammar.ts";
import { Match } from "./match.ts";
import { oddMessages } from "./odd.ts";
import type { Divergence, Session } from "./play.ts";
import { handWritten } from "./sessions.ts";

const GENERATED = 120;
/** Another seed asks other questions: `ORACLE_SEED=7 bun test test/oracle`. */
const FIRST_SEED = Number(process.env["ORACLE_SEED"] ?? 1);
const ODD_AT_RANDOM = 120;
const SHOWN_MAX = 20;
const TIMEOUT_MS = 150_000;
const ODD_ITEMS = [
  ..."ENVELOPE|BODY|BODYSTRUCTURE|RFC822.SIZE|BODY.PEEK[]|BODY.PEEK[HEADER]|BODY.PEEK[TEXT]|BODY.PEEK[1]".split(
    "|",
  ),
  ..."BODY.PEEK[1.MIME]|BODY.PEEK[2]|BODY.PEEK[1.1]|BODY.PEEK[1.HEADER]|BODY.PEEK[HEADER.FIELDS (SUBJECT)]".split(
    "|",
  ),
  "BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)]",
];

const odd = oddMessages(ODD_AT_RANDOM, 1);
const oddSessions: readonly Session[] = ODD_ITEMS.map((item) => ({
  name: `odd messages: ${item}`,
  mailbox: "odd",
  lines: ["EXAMINE INBOX", `FETCH 1:* (${item})`],
}));

const why = whyNoDovecot();
const inCase = test.skipIf(why !== undefined);
const label = (name: string) => (why === undefined ? name : `${name} (${why})`);
const used = new Set<Difference>();
let match: Match | undefined;

beforeAll(async () => {
  if (why !== undefined) return;
  match = await Match.start(handWritten.length + GENERATED + oddSessions.length, odd);
}, TIMEOUT_MS);

afterAll(() => match?.stop());

inCase(
  label(`${handWritten.length} sessions written by hand get the answers of Dovecot`),
  () => ask(handWritten),
  TIMEOUT_MS,
);

inCase(
  label(`${GENERATED} generated sessions get the answers of Dovecot`),
  () => ask(generatedSessions(GENERATED, FIRST_SEED)),
  TIMEOUT_MS,
);

inCase(
  label(`${odd.length} odd messages are shown as Dovecot shows them`),
  () => ask(oddSessions),
  TIMEOUT_MS,
);

inCase(label("every listed difference is still one"), () => {
  const stale = differences.filter((difference) => !used.has(difference));
  expect(stale.map(({ title }) => title)).toEqual([]);
});

async function ask(sessions: readonly Session[]): Promise<void> {
  if (match === undefined) throw new Error("there is no Dovecot to ask");
  const left: Divergence[] = [];
  for (const divergence of await match.run(sessions)) {
    const difference = differences.find((entry) => entry.explains(divergence, messageOf(divergence)));
    if (difference === undefined) left.push(divergence);
    else used.add(difference);
  }
  expect(left.slice(0, SHOWN_MAX).map(show)).toEqual([]);
}

/** The odd message that the field is about. */
function messageOf({ session, field }: Divergence) {
  if (session.mailbox !== "odd") return undefined;
  return odd[Number(/^fetch (\d+) /.exec(field)?.[1]) - 1];
}

function show(divergence: Divergence): string {
  const { session, line, field, ours, theirs } = divergence;
  const message = messageOf(divergence);
  const about = message === undefined ? "" : `\nof ${JSON.stringify(message.text)}`;
  return `${session.name}: ${line}: ${field}\nours   ${ours ?? "-"}\ntheirs ${theirs ?? "-"}${about}`;
}
