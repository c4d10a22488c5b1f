/** Special uses (RFC 6154 §2) go by name here: the usual ones of clients. */
const USES: Readonly<Record<string, string>> = {
  archive: "\\Archive",
  drafts: "\\Drafts",
  junk: "\\Junk",
  sent: "\\Sent",
  "sent messages": "\\Sent",
  trash: "\\Trash",
};

/** The use that a mailbox of that name has. */
export function specialUseOf(name: string): string | undefined {
  return USES[name.toLowerCase()];
}
