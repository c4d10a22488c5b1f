/** Which program this is. Set by release/build.ts; a run from source says so. */
declare const MADMAIL_VERSION: string;
declare const MADMAIL_COMMIT: string;

export const version = typeof MADMAIL_VERSION === "string" ? MADMAIL_VERSION : "0.0.0-source";
export const commit = typeof MADMAIL_COMMIT === "string" ? MADMAIL_COMMIT : "unknown";
