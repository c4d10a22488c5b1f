/** The sections of `madmail.toml` about certificates. */
import { z } from "zod";
import { domain } from "./schema-fields.ts";

export const tls = z.strictObject({
  mode: z.enum(["self-signed", "file", "acme"]).default("self-signed").meta({
    description:
      "Where the certificate comes from: made here, read from `cert` and `key`, or obtained from an authority as `[acme]` says.",
  }),
  cert: z.string().optional().meta({
    description: "PEM file with the certificate chain, for mode `file`. Read again on SIGHUP and every hour.",
  }),
  key: z.string().optional().meta({ description: "PEM file with the private key, for mode `file`." }),
});

const server = z
  .string()
  .regex(/^(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?$/, "an IP address, an IPv6 one in brackets");
const secretFile = (what: string) =>
  z
    .string()
    .optional()
    .meta({ description: `File with ${what}; only its owner may read it (mode 0600).` });

export const acme = z.strictObject({
  email: z
    .email()
    .optional()
    .meta({ description: "Told to the authority, for its warnings. Mode `acme` agrees to its terms." }),
  directory: z
    .url({ protocol: /^https$/, error: "an https:// URL" })
    .default("https://acme-v02.api.letsencrypt.org/directory")
    .meta({ description: "Directory of the authority; default: Let's Encrypt." }),
  staging: z.boolean().default(false).meta({
    description: "Use Let's Encrypt's test directory instead: its certificates are trusted by nobody.",
  }),
  ca_file: z.string().optional().meta({
    description:
      "PEM file with the authority that certifies the directory's own host, where it is none of the well-known ones.",
  }),
  names: z.array(domain).max(100).default([]).meta({
    description:
      "Names of the certificate. Empty: `hostname`, and of `domains` and their `mta-sts.` and `www.` names those that lead to the same addresses.",
  }),
  profile: z.string().optional().meta({
    description:
      "Kind of certificate, of those the authority offers. Default: `shortlived` for IP addresses, else the authority's choice.",
  }),
  challenge: z.enum(["http-01", "dns-01"]).default("http-01").meta({
    description:
      "How names are proved: `http-01` by an answer on port 80 of this relay, `dns-01` by a TXT record set through `dns_provider`.",
  }),
  dns_provider: z
    .enum(["cloudflare", "route53", "hook"])
    .optional()
    .meta({ description: "Who sets the TXT records of `dns-01`." }),
  cloudflare_token: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "API token with the right to edit DNS of the zone." }),
  cloudflare_token_file: secretFile("that token"),
  aws_access_key_id: z.string().min(1).optional().meta({ description: "Key of an AWS user for Route 53." }),
  aws_secret_access_key: z.string().min(1).optional().meta({ description: "Its secret." }),
  aws_credentials_file: secretFile("both in the form of `~/.aws/credentials`, profile `default`"),
  dns_hook: z.array(z.string().min(1)).max(16).default([]).meta({
    description:
      "Program and arguments; run with `present NAME VALUE` or `cleanup NAME VALUE` behind them, where NAME is the full name of the TXT record.",
  }),
  dns_api: z
    .url({ protocol: /^https?$/, error: "an http:// or https:// URL" })
    .optional()
    .meta({ description: "Address of the provider's API, where it is not the public one." }),
  dns_servers: z.array(server).max(16).default([]).meta({
    description:
      "Name servers that must show the record before the authority is told to look. Empty: the zone's own, as its NS records name them.",
  }),
  eab_key_id: z.string().min(1).optional().meta({
    description: "External account, for authorities that ask for one: its key id.",
  }),
  eab_hmac_key_file: secretFile("its HMAC key, base64url"),
});
