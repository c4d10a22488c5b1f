/** How sessions are written by hand. */
import type { Session } from "./play.ts";

/** Splits a table of sessions: a name, the mailbox, then a line each. */
export function session(name: string, mailbox: Session["mailbox"], text: string): Session {
  const lines = text.split("\n").map((line) => line.trim());
  return { name, mailbox, lines: lines.filter((line) => line !== "") };
}

/** One command on the ordinary mailbox. */
export function onMail(kind: string, commands: readonly string[]): Session[] {
  return commands.map((command) => session(`${kind}: ${command}`, "mail", `SELECT INBOX\n${command}`));
}
