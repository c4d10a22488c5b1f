/** The sections of `madmail.toml` about what browsers see: site, administration, mail in the browser. */
import { z } from "zod";
import { endpoints } from "./schema-fields.ts";

/** `auto` is what the visitor's browser asks for. */
export const languages = ["auto", "en", "fa", "ru", "es"] as const;
const SECURITY_CONTACT = /^(mailto:[^\s@]+@[^\s@]+|https:\/\/\S+)$/;
/** How account links tell clients to connect; `default` is what listens. */
export const linkSecurities = ["default", "ssl", "starttls"] as const;

/** Of a request: `/api/admin`. */
export const URL_PATH = /^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._~-]+)+$/;
/** As browsers send it. */
export const ORIGIN = /^(\*|https?:\/\/[^\s/,]+)$/;

const path = (fallback: string, doc: string) =>
  z
    .string()
    .max(200)
    .regex(URL_PATH, "a path such as /api/admin")
    .default(fallback)
    .meta({ description: doc });

const security = (what: string) =>
  z
    .enum(linkSecurities)
    .default("default")
    .meta({
      description: `How account links tell clients to connect for ${what}: TLS from the first byte (\`ssl\`), STARTTLS, or what listens (\`default\`: TLS before STARTTLS). A setting made at run time wins.`,
    });

export const site = z.strictObject({
  trusted_proxies: z
    .array(z.union([z.ipv4(), z.ipv6()]))
    .max(64)
    .default([])
    .meta({
      description:
        "Addresses of reverse proxies in front of the HTTP ports: only their `X-Forwarded-For` is believed, for limits and lock-outs by address.",
    }),
  language: z.enum(languages).default("auto").meta({
    description:
      "Language of the site: `auto` is what the visitor's browser asks for. Visitors can always choose another. A setting made at run time wins.",
  }),
  www_dir: z.string().min(1).optional().meta({
    description:
      "Directory of pages that take the place of the built-in ones, file by file; read at every request. `madmail html-export` makes one to begin with. A setting made at run time (`madmail html-serve`) wins.",
  }),
  contact_sharing: z.boolean().default(false).meta({
    description: "Whether visitors may make short addresses (`/name`) that lead to a Delta Chat invitation.",
  }),
  download: z.boolean().default(true).meta({
    description:
      "Whether `/madmail` hands out this program, so that a new relay can be set up from this one.",
  }),
  security_contact: z.string().regex(SECURITY_CONTACT, "a mailto: or https: link").optional().meta({
    description:
      "Where to report weaknesses, such as mailto:me@example.org: shown on the site and in `/.well-known/security.txt`.",
  }),
  new_per_minute: z.number().int().nonnegative().default(120).meta({
    description:
      "Accounts that `/new` gives to one IP address (of IPv6: one /64) per minute in the long run; 0 is unlimited.",
  }),
  new_burst: z.number().int().min(1).default(5).meta({
    description: "Accounts that `/new` gives to one IP address at once before that rate counts.",
  }),
  imap_security: security("IMAP"),
  smtp_security: security("submission"),
});

export const admin = z.strictObject({
  token: z.string().min(1).max(512).optional().meta({
    description:
      "What administrators show at the admin API; `disabled` turns that API off. Default: made at first need and kept in `admin_token`.",
  }),
  path: path("/api/admin", "Where the admin API answers. A setting made at run time wins."),
  web: z
    .boolean()
    .default(true)
    .meta({ description: "Whether the admin panel is served. A setting made at run time wins." }),
  web_path: path("/admin", "Where the admin panel is served. A setting made at run time wins."),
  origins: z
    .array(z.string().regex(ORIGIN, "`*`, or an origin such as https://panel.example"))
    .max(64)
    .default([])
    .meta({ description: "Origins of panels that are served elsewhere, and may use the admin API." }),
});

export const webmail = z.strictObject({
  imap: z
    .boolean()
    .default(false)
    .meta({ description: "Whether browsers may read mail (`/webimap`). A setting made at run time wins." }),
  smtp: z
    .boolean()
    .default(false)
    .meta({ description: "Whether browsers may send mail (`/websmtp`). A setting made at run time wins." }),
  cors_origins: z
    .array(z.string().regex(ORIGIN, "`*`, or an origin such as https://app.example"))
    .max(64)
    .default([])
    .meta({
      description: "Origins of other sites whose pages may use them. A setting made at run time wins.",
    }),
});

export const rest = z.strictObject({
  listen: endpoints(
    ["127.0.0.1:8080"],
    "Where the REST API for scripts answers, without TLS, while ENABLE_API=true stands in the environment.",
  ),
});
