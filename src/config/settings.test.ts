import { describe, expect, test } from "bun:test";
import { configFromText } from "./read.ts";
import { applySettings, settingFaults, settingNamed, settings } from "./settings.ts";

const text = `domains = ["relay.test"]
state_dir = "/x"
[listen]
smtp = ["0.0.0.0:25", "[::]:25"]
https = ["0.0.0.0:443", "192.0.2.1:8443"]
http = []
[turn]
enabled = false
`;
const file = configFromText(text, "/x/m.toml");
const over = (values: Record<string, string>) => applySettings(file, (key) => values[key]);
const named = (name: string) => {
  const found = settingNamed(name);
  if (found === undefined) throw new Error(name);
  return found;
};

test("names and keys are there once each, and keys are what other programs write", () => {
  expect(new Set(settings.map(({ name }) => name)).size).toBe(settings.length);
  expect(new Set(settings.map(({ key }) => key)).size).toBe(settings.length);
  for (const { key } of settings) expect(key).toMatch(/^__[A-Z0-9_]{1,60}__$/);
  expect(settingNamed("__REGISTRATION_OPEN__")?.name).toBe("registration");
});

test("nothing set changes nothing", () => {
  expect(over({})).toEqual(file);
});

test.each<[string, string, string | undefined]>([
  ["registration", "closed", "closed"],
  ["registration", "Open", "open"],
  ["turn_enabled", "maybe", undefined],
  ["turn_enabled", "1", "enabled"],
  ["smtp_port", "0", undefined],
  ["smtp_port", "65536", undefined],
  ["smtp_port", "2525", "2525"],
  ["smtp_port", "25\r\n", "25"],
  ["smtp_port", "2 5", undefined],
  ["turn_ttl", "0", undefined],
  ["turn_ttl", "86400", "86400"],
  ["turn_ttl", "1d", "86400"],
  ["turn_realm", "a b", undefined],
  ["turn_realm", "a\u0000b", undefined],
  ["turn_realm", "x".repeat(254), undefined],
  ["turn_secret", "short", undefined],
  ["turn_secret", "0123456789abcdef", "0123456789abcdef"],
  ["turn_relay_ip", "192.0.2.1", "192.0.2.1"],
  ["turn_relay_ip", "relay.test", undefined],
  ["iroh_relay_url", "https://iroh.test:8443", "https://iroh.test:8443"],
  ["iroh_relay_url", "ftp://iroh.test", undefined],
  ["dclogin_imap_security", "SSL", "ssl"],
  ["dclogin_imap_security", "plain", undefined],
  ["appendlimit", "32M", "32M"],
  ["appendlimit", "1024K", "1M"],
  ["appendlimit", "0", undefined],
  ["appendlimit", "much", undefined],
  ["language", "FA", "fa"],
  ["language", "xx", undefined],
  ["admin_web_path", "xxx", "/xxx"],
  ["admin_web_path", "/a b", undefined],
  ["admin_path", "/../etc", undefined],
  ["webmail_cors_origins", "https://a.test, http://b.test:8080/", "https://a.test,http://b.test:8080"],
  ["webmail_cors_origins", "*", "*"],
  ["webmail_cors_origins", "a.test", undefined],
  ["webmail_cors_origins", `https://${"a".repeat(4096)}`, undefined],
  ["federation_policy", "reject", "REJECT"],
  ["ss_cipher", "rot13", undefined],
  ["smtp_hostname", "Mail.Example.", "mail.example"],
  ["smtp_hostname", "192.0.2.1", "[192.0.2.1]"],
])("%s takes %j as %j", (name, given, shown) => {
  expect(named(name).shown(given)).toBe(shown as string);
});

describe("what a setting says is in force", () => {
  test.each<[string, Record<string, string>, string, unknown]>([
    ["a flag", { __TURN_ENABLED__: "true" }, "turn.enabled", true],
    ["unreadable text leaves it to the file", { __TURN_ENABLED__: "perhaps" }, "turn.enabled", false],
    ["push_enabled is auto", { __PUSH_ENABLED__: "true" }, "push.mode", "auto"],
    ["push_mode beats it", { __PUSH_ENABLED__: "true", __PUSH_MODE__: "on" }, "push.mode", "on"],
    [
      "the smaller size counts",
      { __APPENDLIMIT__: "1M", __MAX_MESSAGE_SIZE__: "2M" },
      "limits.message_size",
      2 ** 20,
    ],
    [
      "the other is smaller",
      { __APPENDLIMIT__: "3M", __MAX_MESSAGE_SIZE__: "2M" },
      "limits.message_size",
      2 * 2 ** 20,
    ],
    [
      "a port for every address that had the first one's",
      { __HTTPS_PORT__: "444" },
      "listen.https",
      [
        { host: "0.0.0.0", port: 444 },
        { host: "192.0.2.1", port: 8443 },
      ],
    ],
    [
      "loopback of both families",
      { __SMTP_LOCAL_ONLY__: "true", __SMTP_PORT__: "26" },
      "listen.smtp",
      [
        { host: "127.0.0.1", port: 26 },
        { host: "::1", port: 26 },
      ],
    ],
    ["a port opens nothing that the file turned off", { __HTTP_PORT__: "81" }, "listen.http", []],
    [
      "the switch does",
      { __HTTP_PORT__: "81", __HTTP_ENABLED__: "true", __HTTP_LOCAL_ONLY__: "true" },
      "listen.http",
      [
        { host: "127.0.0.1", port: 81 },
        { host: "::1", port: 81 },
      ],
    ],
    ["and closes", { __HTTPS_ENABLED__: "false", __HTTPS_PORT__: "444" }, "listen.https", []],
    [
      "iroh gets a port of its own",
      { __IROH_PORT__: "3340" },
      "iroh.listen",
      [
        { host: "0.0.0.0", port: 3340 },
        { host: "::", port: 3340 },
      ],
    ],
    [
      "a range upside down is not taken",
      { __TURN_RELAY_PORT_MIN__: "65000", __TURN_RELAY_PORT_MAX__: "64000" },
      "turn.relay_port_min",
      49_152,
    ],
    [
      "and takes nothing else with it",
      { __TURN_RELAY_PORT_MAX__: "1", __TURN_ENABLED__: "1" },
      "turn.enabled",
      true,
    ],
  ])("%s", (_, values, path, want) => {
    const [section = "", key = ""] = path.split(".");
    const config = over(values) as unknown as Record<string, Record<string, unknown>>;
    expect(config[section]?.[key]).toEqual(want);
  });
});

test("the configuration tells what the file gives", () => {
  expect(file.given).toEqual([
    "domains",
    "state_dir",
    "listen.smtp",
    "listen.https",
    "listen.http",
    "turn.enabled",
  ]);
});

test.each<[Record<string, string>, string[]]>([
  [{}, []],
  [
    { __TURN_RELAY_PORT_MIN__: "3000", __TURN_RELAY_PORT_MAX__: "4000" },
    ["turn_port 3478 is inside the range of relayed ports, 3000 to 4000"],
  ],
  [
    { __TURN_RELAY_PORT_MIN__: "5000", __TURN_RELAY_PORT_MAX__: "4000" },
    ["turn_relay_port_min must be <= turn_relay_port_max, found 5000 and 4000"],
  ],
  [{ __IMAP_PORT__: "993" }, ["port 993 would be both imap and imaps"]],
])("%j together are refused as %j", (values, faults) => {
  expect(settingFaults(file, (key) => values[key])).toEqual(faults);
});
