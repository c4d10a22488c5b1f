/** Finds out what kind of server a directory comes from, and opens it. */
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { madmailKind, openMadmail } from "./madmail.ts";
import { isChatmail, openChatmail } from "./chatmail.ts";
import { type Source, SourceError, type SourceKind } from "./source.ts";

/**
 * @param from `auto` looks
 * @param configFile of the source, when it is not where its installer puts it
 * @throws {SourceError}
 */
export function openSource(path: string, from: SourceKind | "auto", configFile?: string): Source {
  if (!existsSync(path) || !statSync(path).isDirectory()) {
    throw new SourceError(`${resolve(path)}: expected a directory, found none`);
  }
  const kind = from === "auto" ? kindOf(path) : from;
  return kind === "chatmail" ? openChatmail(path) : openMadmail(path, kind, configFile);
}

function kindOf(path: string): SourceKind {
  const madmail = madmailKind(path);
  if (madmail !== undefined) return madmail;
  if (isChatmail(path)) return "chatmail";
  throw new SourceError(
    `${resolve(path)}: expected the state of a madmail, a maddy or a chatmail relay, found none of them; say which with --from`,
  );
}
