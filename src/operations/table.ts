/** Every operation there is, by name. */
import { accountTransferOperations } from "./account-transfer.ts";
import { accountOperations } from "./accounts.ts";
import { blocklistOperations } from "./blocklist.ts";
import { mailboxOperations } from "./mailboxes.ts";
import { messageOperations } from "./messages.ts";
import { noticeOperations } from "./notices.ts";
import { queueOperations } from "./queue.ts";
import { quotaOperations } from "./quota.ts";
import { registrationOperations } from "./registration.ts";
import { relayOperations } from "./relay.ts";

export const operationTable = {
  ...accountOperations,
  ...accountTransferOperations,
  ...blocklistOperations,
  ...mailboxOperations,
  ...messageOperations,
  ...noticeOperations,
  ...queueOperations,
  ...quotaOperations,
  ...registrationOperations,
  ...relayOperations,
} as const;

export type OperationTable = typeof operationTable;
export type OperationName = keyof OperationTable;
