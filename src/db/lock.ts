/**
 * One process per state directory: two would give the same UID to two messages. The lock is an exclusive SQLite
 * transaction on a file of its own: the system lets go of it whatever ends the process, kill -9 included.
 */
import { Database } from "bun:sqlite";
import { DatabaseError, databaseError } from "./open.ts";

/** @returns the function that lets go of it @throws {DatabaseError} when another process holds it */
export function lockStateDirectory(path: string): () => void {
  const file = `${path}/madmail.lock`;
  let lock: Database | undefined;
  try {
    lock = new Database(file, { create: true, readwrite: true });
    lock.run("PRAGMA locking_mode = EXCLUSIVE");
    lock.run("BEGIN EXCLUSIVE");
  } catch (error) {
    lock?.close();
    const fault = databaseError(error, file);
    if (fault.fault !== "busy") throw fault;
    const what = `${path} is in use by another madmail process; stop it first, or choose another state directory`;
    throw new DatabaseError("busy", what, { cause: error });
  }
  const held = lock;
  return () => held.close();
}
