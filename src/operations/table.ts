/** Every operation there is, by name. */
import { accountOperations } from "./accounts.ts";
import { blocklistOperations } from "./blocklist.ts";
import { queueOperations } from "./queue.ts";
import { quotaOperations } from "./quota.ts";
import { registrationOperations } from "./registration.ts";
import { relayOperations } from "./relay.ts";

export const operationTable = {
  ...accountOperations,
  ...blocklistOperations,
  ...queueOperations,
  ...quotaOperations,
  ...registrationOperations,
  ...relayOperations,
} as const;

export type OperationTable = typeof operationTable;
export type OperationName = keyof OperationTable;
