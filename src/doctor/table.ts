/** Every check there is, in the order in which they are told. */
import { bookChecks } from "./book-checks.ts";
import type { Check } from "./check.ts";
import { letterChecks } from "./letter-check.ts";
import { machineChecks } from "./machine-checks.ts";
import { nameChecks } from "./name-checks.ts";
import { portChecks } from "./port-checks.ts";
import { serviceChecks } from "./service-checks.ts";
import { settingChecks } from "./setting-checks.ts";

export const checkTable: readonly Check[] = [
  ...settingChecks,
  ...machineChecks,
  ...bookChecks,
  ...portChecks,
  ...nameChecks,
  ...serviceChecks,
  ...letterChecks,
];
