/** The section of `madmail.toml` about the public site. */
import { z } from "zod";

const CONTACT = /^(mailto:[^\s@]+@[^\s@]+|https:\/\/\S+)$/;

export const site = z.strictObject({
  language: z.enum(["auto", "en", "fa", "ru", "es"]).default("auto").meta({
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
  security_contact: z.string().regex(CONTACT, "a mailto: or https: link").optional().meta({
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
});
