/** Every operation there is, by name. */
import { metricsOperations } from "./metrics.ts";
import { queueOperations } from "./queue.ts";
import { relayOperations } from "./relay.ts";
import { taskOperations } from "./tasks.ts";

export const operationTable = {
  ...metricsOperations,
  ...queueOperations,
  ...relayOperations,
  ...taskOperations,
} as const;

export type OperationTable = typeof operationTable;
export type OperationName = keyof OperationTable;
