/** What switches the REST API on: environment variables, as scripts of the fork that it comes from set them. */

export interface RestSettings {
  /** Name and password of HTTP Basic. */
  email: string;
  password: string;
  /** Of each address; also the burst. */
  requestsPerSecond: number;
  /** `*` alone is everywhere, without credentials. */
  corsOrigins: readonly string[];
  contentSecurityPolicy: string | undefined;
  /** Domain of the cookie against forged requests. */
  cookieDomain: string | undefined;
  /** Whether requests that change something must show that cookie's value. */
  checkCookies: boolean;
}

/** A switch without what it needs; the message is for the operator. */
export class RestSettingsError extends Error {}

const REQUESTS_PER_SECOND = 3;

/** @returns undefined while the API is off @throws {RestSettingsError} */
export function readRestSettings(env: Record<string, string | undefined>): RestSettings | undefined {
  if (env["ENABLE_API"] !== "true") return undefined;
  const email = env["ADMIN_EMAIL"] ?? "";
  const password = env["ADMIN_PASSWORD"] ?? "";
  if (email === "" || password === "") {
    throw new RestSettingsError("ENABLE_API=true needs ADMIN_EMAIL and ADMIN_PASSWORD in the environment");
  }
  const rate = Number(env["REQUESTS_PER_SECOND"] ?? "");
  const origins = (env["CORS_ALLOW_ORIGINS"] ?? "*").split(",").map((origin) => origin.trim());
  const cookies = env["USE_COOKIES"];
  return {
    email,
    password,
    requestsPerSecond: Number.isFinite(rate) && rate > 0 ? rate : REQUESTS_PER_SECOND,
    corsOrigins: origins.filter((origin) => origin !== ""),
    contentSecurityPolicy: env["CONTENT_SECURITY_POLICY"],
    cookieDomain: env["FQDN"],
    checkCookies: cookies !== undefined && cookies !== "false",
  };
}
