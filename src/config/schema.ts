/**
 * `madmail.toml`: every key with its meaning, default and bounds. The sample file and docs/config.md are printed
 * from this schema, so what is written here is the documentation.
 */
import { z } from "zod";
import { log, maintenance, metrics } from "./schema-care.ts";
import { domain, duration, endpoints, size } from "./schema-fields.ts";
import { dns, echo, federation, iroh, push, queue, shadowsocks, turn } from "./schema-services.ts";
import { acme, tls } from "./schema-tls.ts";
import { admin, rest, site, webmail } from "./schema-web.ts";

const listen = z.strictObject({
  smtp: endpoints(["0.0.0.0:25", "[::]:25"], "Mail from other servers, with STARTTLS (RFC 5321)."),
  submission: endpoints(["0.0.0.0:587", "[::]:587"], "Mail from users, STARTTLS (RFC 6409)."),
  submissions: endpoints(["0.0.0.0:465", "[::]:465"], "Mail from users, TLS from the first byte (RFC 8314)."),
  imap: endpoints(["0.0.0.0:143", "[::]:143"], "IMAP with STARTTLS (RFC 9051)."),
  imaps: endpoints(["0.0.0.0:993", "[::]:993"], "IMAP, TLS from the first byte."),
  http: endpoints(["0.0.0.0:80", "[::]:80"], "Site and account creation without TLS."),
  https: endpoints(
    ["0.0.0.0:443", "[::]:443"],
    "Site, and by ALPN also IMAP (`imap`) and submission (`smtp`).",
  ),
});

const storage = z.strictObject({
  fsync: z.enum(["always", "optimized", "never"]).default("always").meta({
    description:
      "`always`: 250 means on disk, names included. `optimized`: the file only. `never`: left to the system.",
  }),
});

const accounts = z.strictObject({
  registration: z
    .enum(["open", "closed"])
    .default("open")
    .meta({ description: "Whether `/new` hands out accounts. A setting made at run time wins." }),
  create_at_login: z.boolean().default(true).meta({
    description: "Whether an unknown address is created at its first login (needs open registration).",
  }),
  token_required: z
    .boolean()
    .default(false)
    .meta({ description: "Whether `/new` asks for a registration token." }),
  username_min_length: z
    .number()
    .int()
    .min(1)
    .max(64)
    .default(8)
    .meta({ description: "Shortest new local part, characters." }),
  username_max_length: z
    .number()
    .int()
    .min(1)
    .max(64)
    .default(32)
    .meta({ description: "Longest new local part, characters." }),
  password_min_length: z
    .number()
    .int()
    .min(1)
    .max(256)
    .default(8)
    .meta({ description: "Shortest password of a new account, characters." }),
  default_quota: size
    .default(500 * 2 ** 20)
    .meta({ description: "Mailbox size limit where an account has none of its own; 0 is unlimited." }),
});

const limits = z.strictObject({
  message_size: size
    .default(31_457_280)
    .meta({ description: "Largest message, bytes as sent (about 1.4 times the file inside)." }),
  recipients: z
    .number()
    .int()
    .min(100)
    .max(10_000)
    .default(1000)
    .meta({ description: "Recipients of one message (RFC 5321 §4.5.3.1.8 wants at least 100)." }),
  send_per_minute: z
    .number()
    .int()
    .nonnegative()
    .default(60)
    .meta({ description: "Messages an account may send per minute in the long run; 0 is unlimited." }),
  send_burst: z
    .number()
    .int()
    .min(1)
    .default(10)
    .meta({ description: "Messages an account may send at once before that rate counts." }),
  connections: z.number().int().min(1).default(10_000).meta({
    description: "Connections of all protocols together. Keep it well below the limit of open files.",
  }),
  connections_per_address: z
    .number()
    .int()
    .min(1)
    .default(200)
    .meta({ description: "Connections from one IP address (of IPv6: one /64)." }),
  failed_logins_per_minute: z
    .number()
    .int()
    .min(1)
    .default(20)
    .meta({ description: "Wrong passwords from one IP address before further tries wait." }),
});

const smtp = z.strictObject({
  require_tls: z.boolean().default(true).meta({
    description:
      "Whether port 25 takes mail only inside TLS (STARTTLS), as chatmail relays do; the others are told 530.",
  }),
  allow_remote_recipients: z.boolean().default(false).meta({
    description:
      "Whether anybody may send mail to other servers through port 25, without login: an open relay, for closed networks only. A setting made at run time wins.",
  }),
});

const imap = z.strictObject({
  capabilities: z.enum(["generic", "full"]).default("full").meta({
    description:
      "What is shown before login: `full` as clients and tests of chatmail relays expect, `generic` without what marks a chatmail relay.",
  }),
  compress: z.boolean().default(true).meta({ description: "Offer COMPRESS=DEFLATE (RFC 4978)." }),
  idle_keepalive: duration.default(115_000).meta({
    description: "Time between `* OK Still here` lines in IDLE; two minutes at most keeps NAT paths open.",
  }),
});

const metadata = z.strictObject({
  comment: z
    .string()
    .max(1024)
    .optional()
    .meta({ description: "Text clients show as the relay's comment (`/shared/comment`)." }),
  admin: z
    .string()
    .max(1024)
    .optional()
    .meta({ description: "How to reach the operator, such as mailto:me@example.org (`/shared/admin`)." }),
});

export const configSchema = z.strictObject({
  state_dir: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "Directory of everything that is kept. `--state-dir` wins." }),
  hostname: domain.optional().meta({
    description:
      "Name clients connect to; `[192.0.2.1]` on a relay without a domain. Default: the first domain.",
  }),
  domains: z
    .array(domain)
    .min(1)
    .optional()
    .meta({ description: "Domains whose addresses live here. The first is given to new accounts." }),
  public_address: z
    .string()
    .optional()
    .meta({ description: "Host or IP address put into account links where it differs from `hostname`." }),
  listen: listen.prefault({}).meta({
    description: "Addresses to listen on. Every key takes a list; an empty list turns the service off.",
  }),
  tls: tls.prefault({}).meta({ description: "Certificate." }),
  acme: acme.prefault({}).meta({ description: "Certificates from an authority (ACME, RFC 8555)." }),
  storage: storage.prefault({}).meta({ description: "How mail is kept." }),
  accounts: accounts.prefault({}).meta({ description: "Who gets an account." }),
  limits: limits.prefault({}).meta({ description: "Bounds." }),
  smtp: smtp.prefault({}).meta({ description: "SMTP." }),
  imap: imap.prefault({}).meta({ description: "IMAP." }),
  dns: dns.prefault({}).meta({ description: "Name service." }),
  federation: federation.prefault({}).meta({ description: "Mail to and from other servers." }),
  queue: queue.prefault({}).meta({ description: "Mail that waits for other servers." }),
  iroh: iroh.prefault({}).meta({ description: "The iroh relay: peer-to-peer data of apps in chats." }),
  metadata: metadata
    .prefault({})
    .meta({ description: "What the relay tells clients about itself (RFC 5464)." }),
  turn: turn.prefault({}).meta({ description: "Calls: a TURN and STUN server (RFC 8656, RFC 8489)." }),
  shadowsocks: shadowsocks
    .prefault({})
    .meta({ description: "Shadowsocks proxy to this relay; off by default." }),
  push: push
    .prefault({})
    .meta({ description: "Push notifications; off by default: nothing leaves unasked." }),
  echo: echo.prefault({}).meta({ description: "The echo account; off by default." }),
  site: site.prefault({}).meta({ description: "The public site, and the account links it hands out." }),
  admin: admin.prefault({}).meta({ description: "Administration over HTTP." }),
  rest: rest.prefault({}).meta({ description: "Provisioning by scripts over HTTP." }),
  webmail: webmail.prefault({}).meta({ description: "Mail in the browser; off by default." }),
  maintenance: maintenance.prefault({}).meta({ description: "What is deleted by itself, and when." }),
  metrics: metrics.prefault({}).meta({ description: "Figures for monitoring; off by default." }),
  log: log.prefault({}).meta({ description: "Logging; off by default." }),
});

/** A parsed file, every default filled in; sizes in bytes, durations in milliseconds. */
export type ConfigFile = z.output<typeof configSchema>;
