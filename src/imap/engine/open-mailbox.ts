/** Opening mailboxes by name, with "there is none" as a value. */
import { type Mailbox, StorageError } from "../../storage/store.ts";
import type { Session } from "./session.ts";

/** The mailbox, which the caller releases. @returns undefined when there is none of that name */
export async function openMailbox(session: Session, name: string): Promise<Mailbox | undefined> {
  const account = await session.account();
  try {
    return await account.open(name);
  } catch (error) {
    if (error instanceof StorageError && error.fault === "nonexistent") return undefined;
    throw error;
  }
}
