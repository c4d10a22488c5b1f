/** Every operation there is, by name. */
import { accountOperations } from "./accounts.ts";
import { blocklistOperations } from "./blocklist.ts";
import { metricsOperations } from "./metrics.ts";
import { queueOperations } from "./queue.ts";
import { quotaOperations } from "./quota.ts";
import { registrationOperations } from "./registration.ts";
import { relayOperations } from "./relay.ts";
import { taskOperations } from "./tasks.ts";

export const operationTable = {
  ...accountOperations,
  ...blocklistOperations,
  ...metricsOperations,
  ...queueOperations,
  ...quotaOperations,
  ...registrationOperations,
  ...relayOperations,
  ...taskOperations,
} as const;

export type OperationTable = typeof operationTable;
export type OperationName = keyof OperationTable;
