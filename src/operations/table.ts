/** Every operation there is, by name. */
import { queueOperations } from "./queue.ts";
import { relayOperations } from "./relay.ts";
import { siteOperations } from "./site.ts";

export const operationTable = { ...queueOperations, ...relayOperations, ...siteOperations } as const;

export type OperationTable = typeof operationTable;
export type OperationName = keyof OperationTable;
