import { describe, expect, test } from "bun:test";
import { hostOf } from "../core/address.ts";
import { ConfigError } from "./config.ts";
import { configReference, sampleConfig } from "./document.ts";
import { configFromText } from "./read.ts";

const base = 'state_dir = "/s"\nhostname = "relay.example"\n';
const load = (toml: string) => configFromText(toml, "m.toml");
const fault = (toml: string): string => {
  try {
    load(toml);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "no fault";
};

describe("a config file", () => {
  test("needs no more than a state directory and a name", () => {
    const config = load(base);
    expect(config.domains).toEqual([config.hostname]);
    expect(config.storage.fsync).toBe("always");
    expect(config.listen.imaps[0]).toEqual({ host: "0.0.0.0", port: 993 });
    expect(Object.isFrozen(config.listen.smtp)).toBe(true);
  });

  test("knows IP relays with and without brackets", () => {
    const config = load('state_dir = "/s"\nhostname = "192.0.2.7"\ndomains = ["[192.0.2.7]"]');
    expect(String(config.hostname)).toBe("[192.0.2.7]");
    expect(hostOf(config.hostname)).toBe("192.0.2.7");
  });

  test("takes relative paths from its own directory, and those of the command line from here", () => {
    const toml =
      'state_dir = "."\nhostname = "a.example"\n[tls]\nmode = "file"\ncert = "c.pem"\nkey = "/k.pem"';
    const config = configFromText(toml, "/etc/madmail/m.toml");
    expect(config.stateDir).toBe("/etc/madmail");
    expect(config.tls).toEqual({ mode: "file", cert: "/etc/madmail/c.pem", key: "/k.pem" });
    expect(configFromText(toml, "/etc/madmail/m.toml", { stateDir: "s" }).stateDir).toBe(
      `${process.cwd()}/s`,
    );
  });

  test("takes IPv6 listeners and sizes with units", () => {
    const config = load(`${base}[listen]\nsmtp = ["[::1]:2525"]\nhttp = []\n[limits]\nmessage_size = "10M"`);
    expect(config.listen.smtp).toEqual([{ host: "::1", port: 2525 }]);
    expect(config.listen.http).toEqual([]);
    expect(config.limits.message_size).toBe(10 * 2 ** 20);
  });
});

const faults: readonly [name: string, toml: string, message: string][] = [
  ["broken TOML names line and column", "hostname = ", "m.toml:1:"],
  [
    "an unknown key is named with its section",
    `${base}[listen]\nimapss = []`,
    "m.toml: [listen] imapss: expected a known key",
  ],
  ["an unknown key gets a hint", `${base}[listen]\nimapss = []`, "did you mean imaps?"],
  [
    "a wrong type shows what was found",
    `${base}[limits]\nconnections = "many"`,
    'm.toml: limits.connections: expected a number, found "many"',
  ],
  [
    "a wrong choice lists the right ones",
    `${base}[storage]\nfsync = "maybe"`,
    'expected one of "always", "optimized", "never", found "maybe"',
  ],
  [
    "a bad endpoint says the form",
    `${base}[listen]\nsmtp = ["25"]`,
    "m.toml: listen.smtp.0: expected ADDRESS:PORT",
  ],
  ["a port beyond 65535 is refused", `${base}[listen]\nsmtp = ["0.0.0.0:70000"]`, "a port of at most 65535"],
  [
    "a bad size says the form",
    `${base}[limits]\nmessage_size = "big"`,
    "expected a size such as 512k, 30M or 1G",
  ],
  [
    "a bad domain says the form",
    'state_dir = "/s"\nhostname = "a b"',
    "m.toml: hostname: expected a domain name",
  ],
  ["no name at all", 'state_dir = "/s"', "expected at least one of them, found neither"],
  ["no state directory", 'hostname = "a.example"', "m.toml: state_dir: expected a directory"],
  ["file mode without files", `${base}[tls]\nmode = "file"`, "`cert` and `key`"],
];
describe("a faulty config file", () => {
  for (const [name, toml, message] of faults) {
    test(name, () => {
      const text = fault(toml);
      expect(text).toContain(message);
      expect(text).toContain("m.toml");
    });
  }
});

describe("documentation from the schema", () => {
  test("the sample file is valid and changes nothing", () => {
    const sample = load(sampleConfig());
    const plain = load(
      'state_dir = "/var/lib/madmail"\nhostname = "relay.example"\ndomains = ["relay.example"]',
    );
    expect({ ...sample, given: [] }).toEqual({ ...plain, given: [] });
  });

  test("every key has a meaning", () => {
    expect(configReference()).not.toContain("|  |");
  });
});

describe("[acme]", () => {
  const acme = (rest: string) => fault(`${base}[tls]\nmode = "acme"\n[acme]\n${rest}`);

  for (const [rest, want] of [
    ['challenge = "dns-01"', 'acme: challenge "dns-01" needs `dns_provider`'],
    ['challenge = "dns-01"\ndns_provider = "hook"', 'acme: dns_provider "hook" needs `dns_hook`'],
    [
      'challenge = "dns-01"\ndns_provider = "cloudflare"',
      'acme: dns_provider "cloudflare" needs `cloudflare_token` or `cloudflare_token_file`',
    ],
    [
      'challenge = "dns-01"\ndns_provider = "route53"\naws_access_key_id = "A"',
      'acme: dns_provider "route53" needs `aws_access_key_id` and `aws_secret_access_key`, or `aws_credentials_file`',
    ],
    [
      'challenge = "dns-01"\ndns_provider = "hook"\ndns_hook = ["/h"]\nnames = ["[192.0.2.1]"]',
      'acme: IP addresses are proved by challenge "http-01" only',
    ],
    ['eab_key_id = "k"', "acme: eab_key_id and eab_hmac_key_file go together"],
    ['email = "postmaster@relay.example"', "no fault"],
    ['challenge = "dns-01"\ndns_provider = "hook"\ndns_hook = ["/h"]', "no fault"],
  ] as const) {
    test(`${JSON.stringify(rest)}: ${want}`, () => {
      expect(acme(rest)).toEndWith(want);
    });
  }

  test("is not looked at where certificates come from elsewhere; its paths are the file's", () => {
    const config = configFromText(`${base}[acme]\nchallenge = "dns-01"\nca_file = "ca.pem"`, "/etc/m/m.toml");
    expect(config.acme.ca_file).toBe("/etc/m/ca.pem");
  });
});
