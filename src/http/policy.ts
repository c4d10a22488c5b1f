/** What browsers are told to keep to: nothing from elsewhere, no frame around us, no address passed on. */
import { createHash } from "node:crypto";
import { styleSheet } from "./www/frame.tsx";

const styleHash = createHash("sha256").update(styleSheet).digest("base64");

/** Our own pages: one style sheet by its hash, one script from here. */
export const pagePolicy =
  `default-src 'none'; style-src 'sha256-${styleHash}'; script-src 'self'; img-src 'self'; form-action 'self'; ` +
  "base-uri 'none'; frame-ancestors 'none'";

/** Pages of the operator's own directory may have scripts and styles in them, but load from here only. */
export const customPolicy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; " +
  "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; connect-src 'self'; " +
  "object-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

export const securityHeaders: Readonly<Record<string, string>> = {
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  // Paths and queries may hold tokens.
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
};
