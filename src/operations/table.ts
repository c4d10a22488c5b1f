/** Every operation there is, by name. */
import { queueOperations } from "./queue.ts";
import { relayOperations } from "./relay.ts";

export const operationTable = { ...queueOperations, ...relayOperations } as const;

export type OperationTable = typeof operationTable;
export type OperationName = keyof OperationTable;
