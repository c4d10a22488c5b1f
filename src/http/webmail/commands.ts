/** The actions of the WebSocket: name, what they take, what they give. */
import type { Address } from "../../core/address.ts";
import type { MailStore } from "../../storage/store.ts";
import { WebmailError } from "./fault.ts";
import { MailActions } from "./mail-actions.ts";
import { messageDetail } from "./message-json.ts";
import { messageBytes, requests, understood } from "./requests.ts";
import type { WebSender } from "./send.ts";

/** A message in a frame, either way: the frame is in memory whole. Larger ones go by HTTP. */
export const FRAME_MAX_BYTES = 16 * 1024 * 1024;
/** As JSON the message grows. */
const FETCH_MAX_BYTES = FRAME_MAX_BYTES / 2;

export interface CommandParts {
  store: Pick<MailStore, "account">;
  sender: WebSender;
  /** Whether pages may send. Asked each time. */
  maySend: () => boolean;
}

export interface Commands {
  readonly mail: MailActions;
  /** @throws {WebmailError} for what the client is told; anything else is a bug or the disk */
  run(action: string, data: unknown): Promise<unknown>;
}

type Action = (data: unknown) => Promise<unknown>;

export function commandsOf(user: Address, { store, sender, maySend }: CommandParts): Commands {
  const mail = new MailActions(store, user);
  const actions: Readonly<Record<string, Action>> = {
    ...readingActions(mail),
    ...folderActions(mail),
    send: async (data) => {
      if (!maySend()) throw new WebmailError(404, "send is not enabled");
      const { from, to, body, encoding } = understood(requests.send, data);
      await sender.send(user, { from, to, message: messageBytes(body, encoding) });
      return { status: "sent" };
    },
  };
  return {
    mail,
    run: async (action, data) => {
      const run = Object.hasOwn(actions, action) ? actions[action] : undefined;
      if (run === undefined) throw new WebmailError(400, `unknown action: ${action}`);
      return await run(data);
    },
  };
}

function readingActions(mail: MailActions): Record<string, Action> {
  return {
    list_mailboxes: () => mail.mailboxes(),
    list_messages: (data) => {
      const { mailbox, since_uid } = understood(requests.messages, data);
      return mail.messages(mailbox, since_uid);
    },
    fetch: async (data) => {
      const { mailbox, uid, encoding } = understood(requests.message, data);
      return await messageDetail(await mail.open(mailbox, uid), encoding, FETCH_MAX_BYTES);
    },
    search: (data) => {
      const { mailbox, query } = understood(requests.search, data);
      return mail.search(mailbox, query);
    },
    flags: async (data) => {
      await mail.setFlags(understood(requests.flags, data));
      return { status: "ok" };
    },
    delete: async (data) => {
      const { mailbox, uid } = understood(requests.uid, data);
      await mail.remove(mailbox, uid);
      return { status: "deleted" };
    },
  };
}

function folderActions(mail: MailActions): Record<string, Action> {
  const transfer = (how: "copy" | "move", status: string) => async (data: unknown) => {
    const { mailbox, uid, dest_mailbox } = understood(requests.transfer, data);
    await mail.transfer(how, mailbox, uid, dest_mailbox);
    return { status };
  };
  return {
    create_mailbox: async (data) => {
      await mail.createMailbox(understood(requests.name, data).name);
      return { status: "created" };
    },
    delete_mailbox: async (data) => {
      await mail.deleteMailbox(understood(requests.name, data).name);
      return { status: "deleted" };
    },
    rename_mailbox: async (data) => {
      const { old_name, new_name } = understood(requests.rename, data);
      await mail.renameMailbox(old_name, new_name);
      return { status: "renamed" };
    },
    copy: transfer("copy", "copied"),
    move: transfer("move", "moved"),
  };
}
