/** Every operation there is, by name. */
import { accountTransferOperations } from "./account-transfer.ts";
import { accountOperations } from "./accounts.ts";
import { blocklistOperations } from "./blocklist.ts";
import { metricsOperations } from "./metrics.ts";
import { mailboxOperations } from "./mailboxes.ts";
import { messageOperations } from "./messages.ts";
import { noticeOperations } from "./notices.ts";
import { dnsOperations } from "./dns.ts";
import { doctorOperations } from "./doctor.ts";
import { echoOperations } from "./echo.ts";
import { endpointOperations } from "./endpoints.ts";
import { exchangerOperations } from "./exchangers.ts";
import { federationOperations } from "./federation.ts";
import { portOperations } from "./ports.ts";
import { certificateOperations } from "./certificates.ts";
import { queueOperations } from "./queue.ts";
import { quotaOperations } from "./quota.ts";
import { registrationOperations } from "./registration.ts";
import { relayOperations } from "./relay.ts";
import { taskOperations } from "./tasks.ts";
import { serverOperations } from "./servers.ts";
import { serviceOperations } from "./services.ts";
import { settingOperations } from "./settings.ts";
import { sizeOperations } from "./sizes.ts";
import { siteOperations } from "./site.ts";

export const operationTable = {
  ...accountOperations,
  ...accountTransferOperations,
  ...blocklistOperations,
  ...metricsOperations,
  ...mailboxOperations,
  ...messageOperations,
  ...noticeOperations,
  ...dnsOperations,
  ...endpointOperations,
  ...exchangerOperations,
  ...federationOperations,
  ...portOperations,
  ...certificateOperations,
  ...doctorOperations,
  ...echoOperations,
  ...queueOperations,
  ...quotaOperations,
  ...registrationOperations,
  ...relayOperations,
  ...taskOperations,
  ...serverOperations,
  ...serviceOperations,
  ...settingOperations,
  ...sizeOperations,
  ...siteOperations,
} as const;

export type OperationTable = typeof operationTable;
export type OperationName = keyof OperationTable;
