/**
 * One function per SMTP command: looks at the session, says what is to happen next. RFC 5321 §4.1.1, RFC 3207,
 * RFC 4954, RFC 3030, RFC 9422. The engine does it; nothing here sends, asks or parks.
 */
import type { Address } from "../../core/address.ts";
import type { Refusal } from "../../core/verdict.ts";
import { parseMail, parseRecipient } from "./envelope-command.ts";
import { multiline, type Reply, replies } from "./replies.ts";
import { acceptedCount, isSubmission, type Session, type Transaction } from "./session.ts";
import { beginSasl, type SaslStep } from "./sasl.ts";

export type Next =
  | { do: "reply"; text: string }
  /** The command was wrong in form, order or place: it counts. */
  | { do: "fault"; reply: Reply }
  | { do: "refuse"; why: Refusal }
  | { do: "askSender"; sender: Address | null; utf8: boolean }
  | { do: "askRecipient"; recipient: Address }
  | { do: "reset"; text: string }
  | { do: "data" }
  /** `bytes` follow, whatever the reply will be. `fault` is the reply when they cannot be used. */
  | { do: "chunk"; bytes: number; last: boolean; fault: Reply | undefined }
  | { do: "sasl"; step: SaslStep }
  | { do: "startTls" }
  | { do: "quit" }
  | { do: "hangUp"; reply: Reply; why: "wrongProtocol" | "badChunk" };

type Command = (session: Session, args: string) => Next;

const CHUNK = /^(\d{1,15})( +LAST)?$/i;

const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["EHLO", ehlo],
  ["HELO", helo],
  ["MAIL", mail],
  ["RCPT", rcpt],
  ["DATA", data],
  ["BDAT", bdat],
  ["RSET", rset],
  ["NOOP", (session) => idle(session, "accepted")],
  ["VRFY", (session) => idle(session, "wontVerify")],
  ["HELP", (session) => idle(session, "help")],
  ["EXPN", () => fault("notImplemented")],
  ["STARTTLS", startTls],
  ["AUTH", auth],
  ["QUIT", () => ({ do: "quit" })],
  // Browsers and proxies that were led here: their next lines are not for us (cross-protocol attacks).
  ...["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "PRI"].map((verb): [string, Command] => [
    verb,
    () => ({ do: "hangUp", reply: "wrongProtocol", why: "wrongProtocol" }),
  ]),
]);

/** @param line one command line without CRLF */
export function runCommand(session: Session, line: string): Next {
  const blank = line.indexOf(" ");
  const verb = (blank < 0 ? line : line.slice(0, blank)).toUpperCase();
  const args = blank < 0 ? "" : line.slice(blank + 1).trim();
  const command = commands.get(verb);
  return command === undefined ? fault("unknownCommand") : command(session, args);
}

function fault(reply: Reply): Next {
  return { do: "fault", reply };
}

/** A command that is in order and moves nothing forward. */
function idle(session: Session, reply: Reply): Next {
  session.idleCommands++;
  return { do: "reply", text: replies[reply] };
}

function helo(session: Session, args: string): Next {
  if (args === "") return fault("badArguments");
  session.idleCommands++;
  session.greeted = true;
  return { do: "reset", text: `250 ${session.options.hostname}` };
}

/** Any argument will do: clients send address literals, names without dots and worse. */
function ehlo(session: Session, args: string): Next {
  if (args === "") return fault("badArguments");
  session.idleCommands++;
  session.greeted = true;
  return { do: "reset", text: multiline(250, [session.options.hostname, ...extensions(session)]) };
}

function extensions(session: Session): string[] {
  const { limits } = session.options;
  return [
    "PIPELINING",
    `SIZE ${limits.messageMaxBytes}`,
    "8BITMIME",
    "SMTPUTF8",
    "ENHANCEDSTATUSCODES",
    "CHUNKING",
    `LIMITS RCPTMAX=${limits.recipientsMax}`,
    ...(mayStartTls(session) ? ["STARTTLS"] : []),
    ...(mayLogIn(session) ? ["AUTH PLAIN LOGIN"] : []),
  ];
}

function mayStartTls(session: Session): boolean {
  return !session.secure && session.options.tlsAvailable;
}

function mayLogIn(session: Session): boolean {
  return isSubmission(session) && session.secure && session.user === null;
}

function mail(session: Session, args: string): Next {
  if (!session.greeted) return fault("helloFirst");
  if (session.transaction !== undefined) return fault("badSequence");
  if (session.options.tlsRequired && mayStartTls(session)) return fault("tlsFirst");
  if (isSubmission(session) && session.user === null) {
    return session.secure ? { do: "refuse", why: "authRequired" } : fault("tlsFirst");
  }
  const parsed = parseMail(args);
  if (!parsed.ok) return fault(parsed.reply);
  const { sender, declaredBytes, utf8 } = parsed.value;
  if (declaredBytes > session.options.limits.messageMaxBytes) return { do: "refuse", why: "messageTooBig" };
  return { do: "askSender", sender, utf8 };
}

function rcpt(session: Session, args: string): Next {
  const { transaction } = session;
  if (transaction === undefined) return fault("mailFirst");
  const next = readRcpt(session, transaction, args);
  if (next.do !== "askRecipient") transaction.anyRefused = true;
  return next;
}

/** The sender's refusal comes here, for each recipient: session.ts tells why. */
function readRcpt({ options }: Session, transaction: Transaction, args: string): Next {
  const parsed = parseRecipient(args, transaction.utf8, options.hostname);
  if (!parsed.ok) return fault(parsed.reply);
  if (transaction.senderVerdict.do === "refuse") return { do: "refuse", why: transaction.senderVerdict.why };
  if (parsed.value === undefined) return { do: "refuse", why: "recipientSyntax" };
  if (acceptedCount(transaction) >= options.limits.recipientsMax)
    return { do: "refuse", why: "tooManyRecipients" };
  return { do: "askRecipient", recipient: parsed.value };
}

function data(session: Session, args: string): Next {
  if (args !== "") return fault("badArguments");
  const wrong = notReady(session);
  return wrong === undefined ? { do: "data" } : fault(wrong);
}

/** A chunk that cannot be used is read all the same (RFC 3030 §2): else its bytes would be taken for commands. */
function bdat(session: Session, args: string): Next {
  const match = CHUNK.exec(args);
  if (match === null) return { do: "hangUp", reply: "badArguments", why: "badChunk" };
  return { do: "chunk", bytes: Number(match[1]), last: match[2] !== undefined, fault: notReady(session) };
}

/** Why no message can begin now. RFC 5321 §3.3. */
function notReady(session: Session): Reply | undefined {
  const { transaction } = session;
  if (transaction === undefined) return "mailFirst";
  if (acceptedCount(transaction) > 0) return undefined;
  return transaction.anyRefused ? "noValidRecipients" : "recipientFirst";
}

function rset(session: Session): Next {
  session.idleCommands++;
  return { do: "reset", text: replies.accepted };
}

function startTls(session: Session, args: string): Next {
  if (args !== "") return fault("badArguments");
  if (session.secure) return fault("alreadySecure");
  return session.options.tlsAvailable ? { do: "startTls" } : fault("tlsUnavailable");
}

/** Never in clear and never on port 25. */
function auth(session: Session, args: string): Next {
  if (!isSubmission(session)) return fault("notImplemented");
  if (!session.secure) return fault("tlsFirst");
  if (!session.greeted) return fault("helloFirst");
  if (session.user !== null) return fault("alreadyLoggedIn");
  const [mechanism = "", initial, ...more] = args.split(/ +/);
  if (mechanism === "" || more.length > 0) return fault("badArguments");
  return { do: "sasl", step: beginSasl(mechanism.toUpperCase(), initial) };
}
