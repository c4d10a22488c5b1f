/** Which program this is. Set by release/build.ts; a run from source says so. */
declare const MADMAIL_VERSION: string;
declare const MADMAIL_COMMIT: string;
declare const MADMAIL_RELEASE_KEY: string;
declare const MADMAIL_RELEASE_URL: string;

export const version = typeof MADMAIL_VERSION === "string" ? MADMAIL_VERSION : "0.0.0-source";
export const commit = typeof MADMAIL_COMMIT === "string" ? MADMAIL_COMMIT : "unknown";

/** Whose releases this program takes as its upgrades: an Ed25519 key, 32 bytes in base64. Undefined in a build of one's own. */
export const releaseKey = typeof MADMAIL_RELEASE_KEY === "string" ? MADMAIL_RELEASE_KEY : undefined;
/** Where those releases lie. */
export const releaseUrl = typeof MADMAIL_RELEASE_URL === "string" ? MADMAIL_RELEASE_URL : undefined;
