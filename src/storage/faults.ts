/** Turns file system errors into `StorageError`, once, without the path: paths carry addresses. */
import type { Log } from "../log/events.ts";
import { codeOf } from "./files.ts";
import { StorageError } from "./store.ts";

/** No room, or no more of the operator's room: the peer hears "insufficient system storage". */
const FULL = new Set(["ENOSPC", "EDQUOT"]);

/**
 * Wraps whatever a file call threw and tells the log about real trouble.
 * @param doing what failed, for the operator; names nobody
 */
export function asStorageError(error: unknown, doing: string, log: Log): StorageError {
  if (error instanceof StorageError) return error;
  const code = codeOf(error);
  if (code === undefined) {
    log.emit({ kind: "internalFault", where: `storage: ${doing}`, error });
    return new StorageError("failed", `${doing}: internal fault`);
  }
  log.emit({ kind: "storageTrouble", what: `${doing}: ${code}` });
  return new StorageError(FULL.has(code) ? "full" : "failed", `${doing}: ${code}`);
}
