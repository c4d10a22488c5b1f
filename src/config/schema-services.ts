/** The sections of `madmail.toml` about other servers and about services beside mail. */
import { z } from "zod";
import { count, duration, endpoints, port, size } from "./schema-fields.ts";

const nameServer = z
  .string()
  .regex(
    /^(\d+\.\d+\.\d+\.\d+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$/,
    "an IP address, with a port if it is not 53: 192.0.2.1, 192.0.2.1:5353, [2001:db8::1]:5353",
  );

export const dns = z.strictObject({
  servers: z
    .array(nameServer)
    .max(8)
    .default([])
    .meta({ description: "Name servers to ask for mail's records. Empty: those of /etc/resolv.conf." }),
});

export const federation = z.strictObject({
  enabled: z.boolean().default(true).meta({
    description: "Whether mail goes to other servers and comes from them. A setting made at run time wins.",
  }),
  policy: z.enum(["ACCEPT", "REJECT"]).default("ACCEPT").meta({
    description:
      "Other servers without a rule: `ACCEPT` lets them in (rules keep out), `REJECT` keeps them out (rules let in). A setting made at run time wins.",
  }),
  dkim: z.enum(["strict", "off"]).default("strict").meta({
    description:
      "`strict`: mail from other servers needs a valid DKIM signature by the domain of its From, unless that is an IP address. `off`: signatures are not looked at.",
  }),
  tls: z.enum(["verified", "encrypted", "opportunistic"]).default("verified").meta({
    description:
      "What other servers with a domain must prove. `verified`: a valid certificate for their name, as chatmail relays ask. `encrypted`: any certificate. `opportunistic`: SMTP in clear where STARTTLS is not offered. Servers without a domain, and domains that begin with `_`, may always show any certificate.",
  }),
  plain_http: z.enum(["never", "relaxed", "always"]).default("relaxed").meta({
    description:
      "Where mail may go by HTTP without TLS when HTTPS fails: `relaxed` is only servers without a domain and domains that begin with `_`, which have no certificate to check anyway.",
  }),
  allow_private_addresses: z.boolean().default(false).meta({
    description:
      "Whether domains of others may lead to loopback, private or this server's own addresses. For test networks: on a public relay it lets strangers make this server connect to your own machines.",
  }),
  inbound_per_minute: z.number().int().nonnegative().default(6000).meta({
    description:
      "Messages that one IP address may bring by `/mxdeliv` per minute in the long run; 0 is unlimited.",
  }),
  inbound_burst: z
    .number()
    .int()
    .min(1)
    .default(1000)
    .meta({ description: "Messages it may bring at once before that rate counts." }),
  message_size: size.default(70 * 2 ** 20).meta({
    description:
      "Largest message that other servers may bring by `/mxdeliv`, as far as `limits.message_size` allows. A setting made at run time wins.",
  }),
  https_port: port(443, "Port of other relays' `/mxdeliv` by HTTPS. Other values are for closed networks."),
  http_port: port(80, "The same without TLS."),
  smtp_port: port(25, "Port of other servers' SMTP."),
});

export const queue = z.strictObject({
  concurrency: z.number().int().min(4).max(2000).default(200).meta({
    description:
      "Transfers to other servers at once. Each holds a few open files; servers that answer go first.",
  }),
  per_destination: z.number().int().min(1).max(20).default(2).meta({
    description: "Of them, to one domain that answers. 1 keeps the order of messages strictly.",
  }),
  retry_first: duration.default(60_000).meta({ description: "Wait after the first failure." }),
  retry_factor: z
    .number()
    .min(1)
    .max(10)
    .default(1.5)
    .meta({ description: "By how much each further wait is longer." }),
  retry_max: duration.default(3_600_000).meta({ description: "Longest wait, at most 1d." }),
  lifetime: duration.default(172_800_000).meta({
    description: "A message that could not be delivered for so long is given up, and its sender told.",
  }),
  max_messages: z.number().int().min(1).default(100_000).meta({
    description: "Messages that may wait; one to several domains counts for each. More are refused for now.",
  }),
  max_per_destination: z
    .number()
    .int()
    .min(1)
    .default(10_000)
    .meta({ description: "Of them, for one domain." }),
});

/** Clients use scheme, host and port only. */
export const irohUrlPattern = /^https?:\/\/[^\s/]+$/;

export const iroh = z.strictObject({
  enabled: z.boolean().default(true).meta({
    description:
      "Relay for apps in chats that talk peer to peer (webxdc realtime), at `/relay` on the http and https ports.",
  }),
  listen: endpoints([], "Further addresses for it alone, without TLS, such as `0.0.0.0:3340`."),
  url: z.string().regex(irohUrlPattern, "http://HOST:PORT or https://HOST:PORT").optional().meta({
    description: "What clients are told, where the relay is reached in another way than on its own ports.",
  }),
  clients: z.number().int().min(1).default(2000).meta({ description: "Clients at once." }),
  clients_per_address: z
    .number()
    .int()
    .min(1)
    .default(64)
    .meta({ description: "Clients from one IP address (of IPv6: one /64)." }),
  bytes_per_second: size
    .default(2 * 2 ** 20)
    .meta({ description: "What is relayed for one client, bytes per second; 0 is unlimited." }),
  total_bytes_per_second: size
    .default(32 * 2 ** 20)
    .meta({ description: "What is relayed for all clients together, bytes per second; 0 is unlimited." }),
});

export const turn = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .meta({ description: "Whether this relay serves calls (TURN, RFC 8656) and tells clients so." }),
  listen: endpoints(
    ["0.0.0.0:3478", "[::]:3478"],
    "Where clients come in, by UDP and TCP. Clients of today use UDP.",
  ),
  listen_tls: endpoints([], "The same inside TLS, such as `0.0.0.0:5349`."),
  realm: z
    .string()
    .min(1)
    .max(127)
    .optional()
    .meta({ description: "Realm of the credentials. Default: `hostname`." }),
  relay_addresses: z.array(z.string()).max(2).default([]).meta({
    description:
      "Public IP addresses that calls are relayed from, one IPv4 and one IPv6 at most. Empty: found from `public_address`, `hostname` and the network interfaces.",
  }),
  relay_port_min: port(49_152, "First UDP port of relayed calls; the firewall must let the range in."),
  relay_port_max: port(65_535, "Last UDP port of relayed calls."),
  secret: z.string().min(16).max(512).optional().meta({
    description: "Secret behind the credentials. Default: made at the first start and kept in `turn-secret`.",
  }),
  credentials_ttl: duration
    .default(5 * 864e5)
    .meta({ description: "How long credentials last; clients fetch new ones when 12 hours are left." }),
  allocations: count(2000, "Relayed addresses in use at once, of all clients."),
  allocations_per_user: count(50, "Of these with the same credentials, which are new every second."),
  allocations_per_address: count(50, "Of these from one IP address (of IPv6: one /64)."),
  allocation_bandwidth: size.default(2 * 2 ** 20).meta({
    description: "Bytes per second of one relayed address, both directions together; 0 is unlimited.",
  }),
  bandwidth: size
    .default(100 * 2 ** 20)
    .meta({ description: "Bytes per second of all of them together; 0 is unlimited." }),
  allow_private_peers: z.boolean().default(false).meta({
    description:
      "Whether calls may be relayed to private networks and to this machine itself. Only for closed networks and tests: on the Internet it opens services behind the firewall.",
  }),
});

export const shadowsocksCiphers = [
  "aes-128-gcm",
  "aes-256-gcm",
  "chacha20-ietf-poly1305",
  "2022-blake3-aes-128-gcm",
  "2022-blake3-aes-256-gcm",
  "2022-blake3-chacha20-poly1305",
] as const;

export const shadowsocks = z.strictObject({
  enabled: z.boolean().default(false).meta({
    description: "Offer a camouflaged way to this relay's own ports, for places where they are blocked.",
  }),
  listen: endpoints(
    ["0.0.0.0:8388", "[::]:8388"],
    "TCP addresses. 443 is a better disguise where it is free.",
  ),
  cipher: z.enum(shadowsocksCiphers).default("aes-128-gcm").meta({
    description:
      "The 2022 ones know old streams by their time, so clients need the right time (±30 s). ChaCha20 is slower here.",
  }),
  password: z.string().min(1).max(256).optional().meta({
    description:
      "Shared by all clients; for a 2022 cipher a key in base64. Default: made at the first start, kept in `state_dir`.",
  }),
  on_site: z.boolean().default(true).meta({
    description:
      "Whether the site shows the link to everybody. Without it, give it out yourself (`madmail proxy`).",
  }),
  allowed_ports: z.array(z.number().int().min(1).max(65_535)).max(64).default([]).meta({
    description:
      "Ports of 127.0.0.1 that clients may reach besides this relay's IMAP, submission, HTTP and HTTPS. Never 25.",
  }),
  connections: z.number().int().min(1).default(2000).meta({ description: "Connections, probes included." }),
  connections_per_address: z
    .number()
    .int()
    .min(1)
    .default(100)
    .meta({ description: "Connections from one IP address (of IPv6: one /64)." }),
  tunnels_per_minute: z.number().int().nonnegative().default(120).meta({
    description: "Connections one IP address may open per minute in the long run; 0 is unlimited.",
  }),
  tunnel_burst: z
    .number()
    .int()
    .min(1)
    .default(60)
    .meta({ description: "Connections one IP address may open at once before that rate counts." }),
});

export const echo = z.strictObject({
  enabled: z.boolean().default(false).meta({
    description:
      "An account that answers whoever writes to it, so that people can try their own path (`madmail echo` shows its invitation). A setting made at run time wins.",
  }),
  name: z
    .string()
    .regex(
      /^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$/,
      "a local part of small letters, digits, dots and hyphens",
    )
    .default("echo")
    .meta({ description: "Its local part, in the first domain; nobody else may have that account." }),
});

export const push = z.strictObject({
  mode: z.enum(["off", "on", "auto"]).default("off").meta({
    description:
      "Wake phones through a notification service. `auto` pauses while the service fails. A setting made at run time wins.",
  }),
  endpoint: z
    .url({ protocol: /^https?$/, error: "an http:// or https:// URL" })
    .default("https://notifications.delta.chat/notify")
    .meta({
      description:
        "Who is told. It gets the device's token, encrypted by the client for this service, and nothing else.",
    }),
});
