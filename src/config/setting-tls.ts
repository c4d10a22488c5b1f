/** Settings about certificates: whether an authority is asked, and for whom. How, the file says (`[acme]`). */
import { type Setting, setting } from "./setting.ts";
import { emailKind, toggleKind } from "./setting-kinds.ts";

export const tlsSettings: Setting[] = [
  setting({
    name: "autocert_enabled",
    kind: toggleKind(),
    effect: "live",
    path: "tls.mode",
    doc: "Whether the certificate is obtained from an authority (ACME), as `[acme]` says",
    of: ({ tls }) => tls.mode === "acme",
    put({ tls }, on) {
      if (on) tls.mode = "acme";
      else if (tls.mode === "acme") tls.mode = "self-signed";
    },
  }),
  setting({
    name: "acme_email",
    kind: emailKind,
    effect: "live",
    path: "acme.email",
    doc: "Address that the authority writes to before a certificate ends",
    of: ({ acme }) => acme.email,
    put: (draft, email) => (draft.acme.email = email),
  }),
];
