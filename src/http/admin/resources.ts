/** Every resource of the admin API. One file a noun; each only renames fields for an operation. */
import { accountResources } from "./account-resources.ts";
import { operationResource } from "./operation-resource.ts";
import { federationResources } from "./federation-resources.ts";
import type { AdminResource } from "./resource.ts";
import { serverResources } from "./server-resources.ts";
import { sessionResource } from "./session-resource.ts";
import { settingResource, settingResources } from "./setting-resources.ts";

const fixed: Record<string, AdminResource> = {
  "/admin/session": sessionResource,
  ...accountResources,
  ...federationResources,
  ...serverResources,
  ...settingResources,
};

/** By the part before the last slash. */
const variable: Record<string, AdminResource> = {
  "/admin/operations": operationResource,
  "/admin/settings": settingResource,
};

export type FoundResource = AdminResource & { argument: string };

export function findResource(resource: string): FoundResource | undefined {
  const path = resource.replace(/\/+$/, "");
  const exact = Object.hasOwn(fixed, path) ? fixed[path] : undefined;
  if (exact !== undefined) return { ...exact, argument: "" };
  const slash = path.lastIndexOf("/");
  const parent = path.slice(0, slash);
  const found = Object.hasOwn(variable, parent) ? variable[parent] : undefined;
  return found === undefined ? undefined : { ...found, argument: path.slice(slash + 1) };
}
