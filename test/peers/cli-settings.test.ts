/** Settings, services, ports and rules from the command line: on a running relay at once, on a stopped one for its start. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { ImapClient } from "../support/imap-client.ts";
import { Relay, runMadmail } from "../support/relay.ts";

let relay: Relay;
let user: string;

const place = () => ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir];

/** Data of a command that succeeds. */
async function data<T = Record<string, unknown>>(...words: string[]): Promise<T> {
  const { code, output } = await runMadmail([...words, "--json", ...place()]);
  const answer = JSON.parse(output) as { ok: boolean; command: string; data: T };
  expect([code, answer.ok, output]).toEqual([0, true, output]);
  return answer.data;
}

async function fault(...words: string[]): Promise<string> {
  const { code, output } = await runMadmail([...words, "--json", ...place()]);
  expect(code).toBe(1);
  return (JSON.parse(output) as { error: string }).error;
}

async function login(port = relay.ports.imaps): Promise<ImapClient> {
  const imap = await ImapClient.open({ port, tls: true });
  await imap.ok(`LOGIN ${user} secret-password-1`);
  return imap;
}

async function metadata(imap: ImapClient, entry: string): Promise<string> {
  const { untagged } = await imap.ok(`GETMETADATA "" (/shared/vendor/deltachat/${entry})`);
  return untagged.map(({ text, literals }) => [text, ...literals].join(" ")).join("\n");
}

/** A port that nobody has. */
function freePort(): number {
  const holder = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = holder;
  holder.stop(true);
  return port;
}

beforeAll(async () => {
  relay = await Relay.start({ name: "cli-settings" });
  user = relay.address("settingsuser");
});
afterAll(() => relay.dispose());

/** Every command of this family that changes or shows something, and what its data has. */
const commands: [words: string, has: object][] = [
  [
    "settings list",
    { settings: expect.arrayContaining([expect.objectContaining({ name: "turn_port" })]), pending: [] },
  ],
  [
    "settings set turn_realm calls.test",
    { name: "turn_realm", value: "calls.test", source: "setting", pending: false },
  ],
  ["settings get __TURN_REALM__", { name: "turn_realm", key: "__TURN_REALM__", effect: "live" }],
  [
    "settings list --changed",
    { settings: expect.arrayContaining([expect.objectContaining({ name: "turn_realm" })]) },
  ],
  ["settings reset turn_realm", { source: "default", value: "" }],
  ["federation policy reject", { policy: "REJECT" }],
  ["federation allow good.test", { domain: "good.test", policy: "REJECT", rule: true }],
  [
    "federation list",
    { policy: "REJECT", domains: [{ domain: "good.test", createdAtSec: expect.any(Number) }] },
  ],
  ["federation block good.test", { domain: "good.test", rule: false }],
  ["federation policy accept", { policy: "ACCEPT" }],
  ["federation block bad.test", { rule: true }],
  ["federation remove bad.test", { removed: true, remaining: 0 }],
  ["federation flush --yes", { removed: 0 }],
  ["federation dismiss spam.test", { domain: "spam.test", total: 1 }],
  ["federation dismiss-list", { total: 1 }],
  ["federation undismiss spam.test", { removed: true }],
  ["federation dismiss-flush --yes", { removed: 0 }],
  ["federation disable", { enabled: false }],
  ["federation enable", { enabled: true }],
  ["federation status", { traffic: expect.objectContaining({ queued: 0 }), servers: [] }],
  ["endpoint-cache set peer.test 192.0.2.1 why", { key: "peer.test", target: "192.0.2.1", comment: "why" }],
  ["dns-cache list", { total: 1 }],
  ["endpoint-cache get peer.test", { target: "192.0.2.1" }],
  ["endpoint-cache remove peer.test", { remaining: 0 }],
  ["exchanger add one https://127.0.0.1:9 --interval 3600", { name: "one" }],
  ["exchanger disable one", { name: "one" }],
  ["exchanger enable one", { name: "one" }],
  ["exchanger list", { exchangers: [expect.objectContaining({ enabled: true, pollIntervalSec: 3600 })] }],
  ["exchanger remove one", { remaining: 0 }],
  ["port status", { total: 10 }],
  ["port smtp status", { service: "smtp", access: "local", source: "file" }],
  ["submission-access local", { ports: [expect.objectContaining({ access: "local" }), expect.anything()] }],
  ["submission-access status", { ports: [expect.anything(), expect.anything()] }],
  ["submission-access public", { ports: [expect.anything(), expect.anything()] }],
  ["port submission reset", { source: "file" }],
  ["port submission-tls reset", { source: "file" }],
  ["message-size set 20M", { message: expect.objectContaining({ effective: "20M" }) }],
  ["message-size set 5M --federation", { federation: expect.objectContaining({ effective: "5M" }) }],
  ["message-size reset --federation", { federation: expect.objectContaining({ effective: "20M" }) }],
  ["message-size reset", { message: expect.objectContaining({ effective: "30M" }) }],
  ["message-size status", { message: expect.objectContaining({ configBytes: 31_457_280 }) }],
  ["language set fa", { language: "fa", source: "setting" }],
  ["language reset", { language: "auto", source: "default" }],
  ["language status", { language: "auto" }],
  ["turn off", { enabled: false, advertised: false }],
  ["turn on", { enabled: true }],
  ["turn status", { enabled: true, allocations: 0, figures: expect.any(Object) }],
  ["iroh off", { enabled: false, url: null }],
  ["iroh on", { enabled: true }],
  ["iroh status", { enabled: true, endpoints: 0 }],
  ["push auto", { mode: "auto", restsAfter: 5 }],
  ["push off", { mode: "off" }],
  ["push status", { mode: "off", pending: 0, sent: 0 }],
  ["webimap enable", { enabled: true }],
  ["webimap disable", { enabled: false }],
  ["websmtp status", { enabled: false }],
  ["webmail-cors add https://app.test", { value: "https://app.test" }],
  ["webmail-cors status", { origins: ["https://app.test"] }],
  ["webmail-cors remove https://app.test", { source: "default" }],
  ["openrelay enable --yes", { enabled: true }],
  ["openrelay disable", { enabled: false }],
  ["openrelay status", { enabled: false }],
  ["admin-web path panel", { value: "/panel" }],
  ["admin-web status", { enabled: true, path: "/panel" }],
  ["admin-web disable", { enabled: false }],
  ["admin-web path --reset", { value: "/admin" }],
  ["proxy cipher aes-256-gcm", { value: "aes-256-gcm" }],
  ["proxy cipher --reset", { value: "aes-128-gcm", source: "default" }],
  ["proxy password --random", { name: "ss_password", source: "setting" }],
  ["proxy password --reset", { value: "" }],
  ["proxy status", { enabled: false, cipher: "aes-128-gcm" }],
  [
    "status -d",
    {
      version: expect.any(String),
      ports: expect.any(Array),
      services: expect.objectContaining({ push: "off" }),
    },
  ],
  [
    "config show",
    {
      values: expect.arrayContaining([expect.objectContaining({ path: "turn.enabled", source: "setting" })]),
    },
  ],
];

for (const isRunning of [true, false]) {
  describe(isRunning ? "on a running relay" : "on a stopped relay", () => {
    if (!isRunning) beforeAll(() => relay.stop());
    test.each(commands)("%s", async (words, has) => {
      expect(await data(...words.split(" "))).toMatchObject(has);
    });

    test("admin-token is made once, for its owner only", async () => {
      const { output } = await runMadmail(["admin-token", "--raw", ...place()]);
      expect(output.trim()).toMatch(/^[\w-]{43}$/);
      const { token, url, code } = await data<{ token: string; url: string | null; code: string | null }>(
        "admin-token",
      );
      // The file of this test leaves the port to the system: who does not run has none.
      const api = `https://relay.test:${relay.ports.https}/api/admin`;
      expect([token, url]).toEqual([output.trim(), isRunning ? api : null]);
      if (isRunning)
        expect(JSON.parse(Buffer.from(code ?? "", "base64url").toString())).toEqual({ u: url, t: token });
      expect(statSync(join(relay.stateDir, "admin_token")).mode & 0o777).toBe(0o600);
      expect((await data<{ token: string }>("admin-token", "--replace", "--yes")).token).not.toBe(
        token ?? "",
      );
    });

    test("nonsense changes nothing, and is told", async () => {
      expect(await fault("port", "imap", "set", "70000")).toBe(
        "imap_port: expected a port from 1 to 65535, found 70000",
      );
      const port = String(freePort());
      await data("port", "imap", "set", port);
      expect(await fault("port", "imap-tls", "set", port)).toBe(`port ${port} would be both imap and imaps`);
      await data("port", "imap", "reset");
      expect(await fault("settings", "set", "language", "xx")).toContain(
        "expected one of auto, en, fa, ru, es",
      );
      expect(await fault("settings", "set", "no_such", "1")).toBe("there is no setting no_such");
      expect(await fault("settings", "set", "language", "ru", "--expected", "fa")).toBe(
        "language is auto by now; nothing was changed",
      );
      expect(await fault("message-size", "set", "much")).toContain("expected a size such as 32M");
      expect(await fault("federation", "policy", "maybe")).toContain("expected ACCEPT or REJECT");
      expect(await fault("openrelay", "enable")).toContain("say --yes");
      expect(await fault("endpoint-cache", "remove", "nobody.test")).toBe("nothing is set for nobody.test");
    });
  });
}

describe("what only a running relay does", () => {
  beforeAll(() => relay.restart());

  test("a test of a server says what DNS and its ports say", async () => {
    await data("endpoint-cache", "set", "self.test", `https://127.0.0.1:${relay.ports.https}`);
    const report = await data<{ works: boolean; hosts: object[] }>("federation", "test", "self.test");
    expect(report).toMatchObject({
      works: true,
      override: `https://127.0.0.1:${relay.ports.https}`,
      hosts: [
        {
          ways: [
            {
              route: "https",
              works: true,
              tls: "unverified",
              certificate: { names: expect.arrayContaining(["relay.test"]) },
            },
          ],
        },
      ],
    });
    await data("endpoint-cache", "set", "self.test", `https://127.0.0.1:${freePort()}`);
    expect(await data("federation", "test", "self.test")).toMatchObject({ works: false });
    await data("endpoint-cache", "remove", "self.test");
  });

  test("TURN, iroh and push are turned off and on under a client that stays", async () => {
    const imap = await login();
    for (const [service, entry] of [
      ["turn", "turn"],
      ["iroh", "irohrelay"],
      ["push", "maxsmtprecipients"],
    ] as const) {
      await data(service, "on");
      expect(await metadata(imap, entry)).toMatch(new RegExp(`${entry} ("|\\{)`));
      await data(service, "off");
      expect(await metadata(imap, entry)).toMatch(new RegExp(`${entry} NIL|^$`));
    }
    await data("turn", "on");
    expect(await metadata(imap, "turn")).toContain("relay.test:");
    imap.close();
  });

  test("a port moves with the reload, and only its clients are told goodbye", async () => {
    const stays = await login();
    const goes = await ImapClient.open({ port: relay.ports.imap, tls: false });
    const port = freePort();
    const set = await data<{ pending: boolean }>("port", "imap", "set", String(port));
    expect(set.pending).toBe(true);
    expect(await data("status")).toMatchObject({ pending: ["imap_port"] });
    expect((await ImapClient.open({ port: relay.ports.imap, tls: false })).greeting).toStartWith("* OK");
    await data("reload");
    expect((await goes.next()).text).toStartWith("* BYE");
    const moved = await ImapClient.open({ port, tls: false });
    expect(moved.greeting).toStartWith("* OK");
    moved.close();
    // Whoever wants the old port can have it.
    Bun.listen({ hostname: "127.0.0.1", port: relay.ports.imap, socket: { data() {} } }).stop(true);
    await stays.ok("NOOP");
    expect(await data("port", "imap", "status")).toMatchObject({
      port,
      bound: [`127.0.0.1:${port}`],
      pending: false,
    });
    stays.close();
  });

  test("a port that another program has leaves the listener where it is", async () => {
    const holder = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const before = await data<{ bound: string[] }>("port", "submission", "status");
    await data("port", "submission", "set", String(holder.port));
    const { notices } = await data<{ notices: string[] }>("reload");
    expect(notices).toEqual([expect.stringContaining("listeners stay where they are: cannot listen on")]);
    expect(await data("port", "submission", "status")).toMatchObject({ bound: before.bound, pending: true });
    holder.stop(true);
    await data("port", "submission", "reset");
    expect(await data("reload")).toEqual({ notices: [] });
  });

  test("http is turned off and on with reloads", async () => {
    await data("port", "http", "disable");
    await data("reload");
    expect(await data("port", "http", "status")).toMatchObject({ access: "off", bound: [] });
    await data("port", "http", "enable");
    await data("reload");
    expect(await data("port", "http", "status")).toMatchObject({ bound: [`127.0.0.1:${relay.ports.http}`] });
  });

  test("Shadowsocks comes and goes", async () => {
    expect(await data("proxy", "enable")).toMatchObject({ enabled: true, notices: [] });
    expect(await data<{ link: string }>("proxy", "link")).toMatchObject({
      link: expect.stringMatching(/^ss:\/\//),
    });
    await data("proxy", "password", "--random");
    await data("reload");
    expect(await data("proxy", "disable")).toMatchObject({ enabled: false });
  });

  test("nothing printed names the user", () => {
    expect(relay.leaks()).toEqual([]);
  });
});
