/** Finds out what kind of server a directory comes from, and opens it. */
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { isChatmail, openChatmail } from "./chatmail.ts";
import { type Source, SourceError, type SourceKind } from "./source.ts";

/** @param from `auto` looks. @throws {SourceError} */
export function openSource(path: string, from: SourceKind | "auto"): Source {
  if (!existsSync(path) || !statSync(path).isDirectory()) {
    throw new SourceError(`${resolve(path)}: expected a directory, found none`);
  }
  const kind = from === "auto" ? kindOf(path) : from;
  switch (kind) {
    case "chatmail":
      return openChatmail(path);
    default:
      throw new SourceError(`${kind} is not read yet`);
  }
}

function kindOf(path: string): SourceKind {
  if (isChatmail(path)) return "chatmail";
  throw new SourceError(
    `${resolve(path)}: expected the state of a madmail, a maddy or a chatmail relay, found none of them; say which with --from`,
  );
}
