/**
 * The subscriptions file of an account, in Dovecot's second form: `V\t2`, an empty line, then one mailbox per line,
 * its parts joined by tabs.
 */
import { readFileSync } from "node:fs";
import type { MaildirContext } from "./context.ts";
import { isMissing } from "./files.ts";
import { replaceFile } from "./marks.ts";

const FILE_NAME = "subscriptions";
const HEAD = "V\t2\n\n";

/** @returns nothing for files of another form: they are not ours to guess */
export function readSubscriptions(maildir: string): Set<string> {
  try {
    const text = readFileSync(`${maildir}/${FILE_NAME}`, "utf8");
    if (!text.startsWith(HEAD)) return new Set();
    const lines = text.slice(HEAD.length).split("\n");
    return new Set(lines.filter((line) => line !== "").map((line) => line.replaceAll("\t", "/")));
  } catch (error) {
    if (isMissing(error)) return new Set();
    throw error;
  }
}

/** Writes all names, sorted. @throws errno errors */
export async function writeSubscriptions(
  context: MaildirContext,
  maildir: string,
  names: ReadonlySet<string>,
): Promise<void> {
  const lines = [...names].sort().map((name) => `${name.replaceAll("/", "\t")}\n`);
  await replaceFile(context, maildir, FILE_NAME, `${HEAD}${lines.join("")}`);
}
