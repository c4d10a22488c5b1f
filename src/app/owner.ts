/**
 * Root works on a state directory as the user it belongs to: what a command leaves there, the service must be able to
 * use. Everyone else works as who they are.
 */
import { lstatSync } from "node:fs";

export interface Owner {
  uid: number;
  gid: number;
}

/** @returns undefined where there is nobody to stand back for: another user than root asks, or it is root's own */
export function foreignOwner(directory: string): Owner | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  const found = lstatSync(directory, { throwIfNoEntry: false });
  return found === undefined || found.uid === 0 ? undefined : { uid: found.uid, gid: found.gid };
}

/** Runs `work` with the owner's rights; the whole process has them meanwhile, pool threads included. */
export async function asOwner<T>(owner: Owner | undefined, work: () => Promise<T>): Promise<T> {
  if (owner === undefined) return await work();
  const gid = process.getegid?.() ?? 0;
  process.setegid?.(owner.gid);
  process.seteuid?.(owner.uid);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(gid);
  }
}
