/** What talks need that a relay with real accounts does not have: they are skipped, named and counted. */
import { toLatin1 } from "../../src/core/bytes.ts";
import { canPlayOverSocket } from "../talks/socket-target.ts";
import type { Talk } from "../talks/talk.ts";

const MODSEQS = "names mod-sequences of the store in memory";
const KEYWORDS = "begins with keywords, which a Maildir file does not carry";

const ANY_MAIL = "has mail accepted or refused that only the fakes' door does so";
const LIMITS = "names the small limits of the fakes";

const needs: Readonly<Record<string, string>> = {
  "smtp/arguments.talk": LIMITS,
  "smtp/bdat-too-big.talk": LIMITS,
  "smtp/bdat.talk": ANY_MAIL,
  "smtp/dots.talk": ANY_MAIL,
  "smtp/dropped.talk": ANY_MAIL,
  "smtp/port-25.talk": LIMITS,
  "smtp/refusals-at-data.talk": ANY_MAIL,
  "smtp/refusals-at-rcpt.talk": ANY_MAIL,
  "smtp/sender-binding.talk": "needs a relay without federation",
  "smtp/too-big.talk": LIMITS,
  "smtp/too-many-recipients.talk": LIMITS,
  "smtp/shutting-down-verdict.talk": "needs the fakes' verdict on a message",
  "smtp/starttls-none.talk": "needs a relay that has no certificate",
  "imap/append.talk": "appends what only the fakes' gate takes for PGP",
  "imap/condstore.talk": MODSEQS,
  "imap/generic.talk": "needs imap.capabilities = generic",
  "imap/metadata.talk": "sets an entry that the relay does not keep",
  "imap/search.talk": KEYWORDS,
  "imap/searchres.talk": MODSEQS,
  "imap/select.talk": KEYWORDS,
  "imap/status.talk": "names the size limit of the fakes",
  "imap/store.talk": MODSEQS,
};

/** Lines of a talk that only look what the fakes saw. */
const LOOKS: ReadonlySet<string> = new Set(["taken", "envelope", "body", "aborted", "counted"]);

/** The talk without what cannot be seen from outside. */
export function seenFromOutside(talk: Talk): Talk {
  const steps = talk.steps.filter((step) => step.do !== "event" || !LOOKS.has(step.event.name));
  return { ...talk, steps };
}

/** @returns why the talk cannot be played to a relay; undefined when it can */
export function whatIsMissing(protocol: "smtp" | "imap", talk: Talk): string | undefined {
  const named = needs[`${protocol}/${talk.name}`];
  if (named !== undefined) return named;
  return canPlayOverSocket(talk) ? undefined : "moves the clock, or something happens behind the scenes";
}

/** True when plain bytes stand behind STARTTLS: cut off from it they reach the handshake, and end it. */
export function isOnlyWhole(talk: Talk): boolean {
  return talk.steps.some((step) => step.do === "say" && /STARTTLS\r\n./s.test(toLatin1(step.bytes)));
}
