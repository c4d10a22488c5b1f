/** The installation step by step: what it makes, what it leaves alone, and a kill between any two steps. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nameFrom } from "../../config/program.ts";
import { configFromText } from "../../config/read.ts";
import { ManualClock } from "../../core/clock.ts";
import { type Choices, chosenDomain, chosenTls, configText, type TlsOptions } from "./choices.ts";
import { firewallHints } from "./firewall.ts";
import { apply, prepare } from "./install.ts";
import { TestMachine } from "./machine.test-help.ts";
import type { Machine } from "./machine.ts";
import { placesOf } from "./places.ts";
import { describeTaken, takenPorts, wantedPorts } from "./ports.ts";
import { type RunOptions, runSteps } from "./steps.ts";
import { uninstallSteps } from "./uninstall.ts";
import { isUntouched, serviceUnit } from "./unit.ts";

const manage = { units: true, start: true };
const choices = (stateDir: string): Choices => ({
  domain: "relay.example",
  hostname: undefined,
  stateDir,
  tls: { mode: "self-signed" },
  turn: true,
  shadowsocks: true,
});

/** RSA keys take their time: one for all machines, as one would find it after an older version. */
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
  format: "pem",
  type: "pkcs8",
});

function prepared(machine: TestMachine) {
  const keys = join(machine.root, "var/lib/relay/dkim");
  if (!existsSync(keys)) {
    mkdirSync(keys, { recursive: true, mode: 0o700 });
    chmodSync(join(keys, ".."), 0o700);
    writeFileSync(join(keys, "default.private"), rsa, { mode: 0o600 });
  }
  const program = { executable: machine.program("1.0.0"), version: "1.0.0" };
  const options = { machine, name: "relay", stateDir: undefined, program, clock: new ManualClock() };
  return prepare(options, choices);
}

async function install(machine: TestMachine, more: Partial<RunOptions> = {}): Promise<string[]> {
  const outcomes: string[] = [];
  const onStep = (name: string, outcome: string, remark?: string) =>
    void outcomes.push(`${outcome} ${name}${remark === undefined ? "" : `: ${remark}`}`);
  await apply(await prepared(machine), manage, { dryRun: false, onStep, ...more });
  return outcomes;
}

/** Paths and modes below the root; of files that hold no secret, the text too. */
function tree(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => !path.startsWith("incoming"))
    .sort()
    .map((path) => {
      const { mode } = lstatSync(join(root, path));
      const isPublic = /\.(toml|service|new)$/.test(path);
      return `${path} ${mode.toString(8)}${isPublic ? `\n${readFileSync(join(root, path), "utf8")}` : ""}`;
    });
}

describe("an installation", () => {
  test("makes everything, and does nothing the second time", async () => {
    using machine = new TestMachine();
    await install(machine);
    const first = tree(machine.root);
    expect(first.map((line) => line.split("\n")[0])).toContain("etc/relay/relay.toml 100640");
    expect(first).toContain("var/lib/relay 40700");
    expect(first).toContain("var/lib/relay/turn-secret 100600");
    expect(first).toContain("var/lib/relay/dkim/default.private 100600");
    expect(machine.runs).toBe(machine.installed("relay"));
    const again = (await install(machine)).filter((line) => !line.startsWith("kept"));
    expect(again).toEqual([]);
    expect(tree(machine.root)).toEqual(first);
  });

  test("says what it would do, and does none of it", async () => {
    using machine = new TestMachine();
    await prepared(machine);
    const before = tree(machine.root);
    const outcomes = await install(machine, { dryRun: true });
    expect(outcomes.every((line) => line.startsWith("would") || line.startsWith("kept"))).toBe(true);
    expect(outcomes.length).toBeGreaterThan(10);
    expect(tree(machine.root)).toEqual(before);
  });

  test("killed before any step is finished by running it again", async () => {
    using whole = new TestMachine();
    const { length } = await install(whole);
    const wanted = tree(whole.root);
    for (let stopBefore = 0; stopBefore < length; stopBefore++) {
      using machine = new TestMachine();
      await install(machine, { stopBefore });
      await install(machine);
      expect(tree(machine.root)).toEqual(wanted);
    }
  });

  test("keeps an edited unit and an edited configuration, and shows what the unit would be", async () => {
    using machine = new TestMachine();
    await install(machine);
    const { unit, configFile } = placesOf("relay");
    const edited = `${readFileSync(join(machine.root, unit), "utf8")}# mine\n`;
    writeFileSync(join(machine.root, unit), edited);
    const config = readFileSync(join(machine.root, configFile), "utf8").replace(
      "enabled = true",
      "enabled = false",
    );
    writeFileSync(join(machine.root, configFile), config);
    const outcomes = await install(machine);
    expect(outcomes.find((line) => line.includes("you edited"))).toContain(`${unit}.new`);
    expect(readFileSync(join(machine.root, unit), "utf8")).toBe(edited);
    expect(readFileSync(join(machine.root, `${unit}.new`), "utf8")).toBe(serviceUnit(placesOf("relay")));
    expect(readFileSync(join(machine.root, configFile), "utf8")).toBe(config);
  });

  test("of a unit that an older version wrote replaces it", async () => {
    using machine = new TestMachine();
    await install(machine);
    const { unit } = placesOf("relay");
    const old = serviceUnit(placesOf("relay", "/srv/relay"));
    expect(isUntouched(old)).toBe(true);
    writeFileSync(join(machine.root, unit), old);
    await install(machine);
    expect(readFileSync(join(machine.root, unit), "utf8")).toBe(serviceUnit(placesOf("relay")));
  });

  test("that a broken configuration is in the way of says so", async () => {
    using machine = new TestMachine();
    mkdirSync(join(machine.root, "etc/relay"));
    writeFileSync(join(machine.root, "etc/relay/relay.toml"), "hostname = 5\n");
    expect(prepared(machine)).rejects.toThrow("there is a configuration already, and it can't be used");
    await prepared(machine).catch(() => {});
  });
});

describe("removing it", () => {
  const removed = async (purge: boolean, stopBefore?: number) => {
    const machine = new TestMachine();
    const before = tree(machine.root);
    await install(machine);
    const options = { dryRun: false, onStep: () => {}, stopBefore };
    await runSteps(uninstallSteps(machine, placesOf("relay"), purge), options).catch(() => {});
    return { machine, before };
  };

  test("leaves configuration and state, and no program", async () => {
    const { machine } = await removed(false);
    using _ = machine;
    const has = (path: string) => existsSync(join(machine.root, path));
    expect([has("etc/relay/relay.toml"), has("var/lib/relay/dkim")]).toEqual([true, true]);
    expect([has("opt/relay"), has("usr/local/bin/relay"), has("etc/systemd/system/relay.service")]).toEqual([
      false,
      false,
      false,
    ]);
  });

  test("killed before any step is finished by running it again", async () => {
    for (let stopBefore = 0; stopBefore < 10; stopBefore++) {
      const { machine } = await removed(false, stopBefore);
      using _ = machine;
      const left: string[] = [];
      const onStep = (name: string) => void left.push(name);
      await runSteps(uninstallSteps(machine, placesOf("relay"), false), { dryRun: false, onStep });
      expect(existsSync(join(machine.root, "opt/relay"))).toBe(false);
      expect(left.length).toBeGreaterThan(5);
    }
  });
});

describe("names", () => {
  const rows: [argv0: string, name: string][] = [
    ["/usr/local/bin/madmail", "madmail"],
    ["./nightingale", "nightingale"],
    ["madmail-0.1.0-linux-x64", "madmail"],
    ["C:\\x.exe", "madmail"],
    ["relay.exe", "relay"],
    ["../Odd Name", "madmail"],
    ["", "madmail"],
  ];
  for (const [argv0, name] of rows)
    test(`${argv0} is called ${name}`, () => expect(nameFrom(argv0)).toBe(name));

  const domains: [options: Parameters<typeof chosenDomain>[0], found: string][] = [
    [{ domain: "Relay.Example" }, "relay.example"],
    [{ ip: "192.0.2.1" }, "[192.0.2.1]"],
    [{ ip: "[192.0.2.1]" }, "[192.0.2.1]"],
    [{ ip: "2001:db8::1" }, "[ipv6:2001:db8::1]"],
    [{ domain: "192.0.2.1" }, "use --ip"],
    [{ ip: "relay.example" }, "use --domain"],
    [{ domain: "localhost" }, "expected a name such as"],
    [{ domain: "a.test", ip: "192.0.2.1" }, "not both"],
    [{}, "name the relay"],
  ];
  for (const [options, found] of domains) {
    test(`${JSON.stringify(options)} is ${found}`, () => {
      const result = (() => {
        try {
          return chosenDomain(options);
        } catch (error) {
          return String(error);
        }
      })();
      expect(result).toContain(found);
    });
  }

  test("of a renamed program are all that the unit shows", () => {
    expect(serviceUnit(placesOf("nightingale"))).not.toMatch(/madmail/i);
  });
});

describe("the certificate", () => {
  const rows: [domain: string, options: TlsOptions, found: string][] = [
    ["relay.example", {}, "acme"],
    ["relay.example", { email: "me@example.org" }, "me@example.org"],
    ["[192.0.2.1]", {}, "self-signed"],
    ["[192.0.2.1]", { mode: "acme" }, "acme"],
    ["relay.example", { cert: "/nowhere.pem", key: "/nowhere.key" }, "/nowhere.pem is not there"],
    ["relay.example", { mode: "file" }, "needs --cert and --key"],
    ["relay.example", { mode: "acme", email: "me" }, "expected an address"],
    ["relay.example", { mode: "none" }, "expected acme, self-signed or file"],
  ];
  for (const [domain, options, found] of rows) {
    test(`for ${domain} with ${JSON.stringify(options)} is ${found}`, () => {
      const result = (() => {
        try {
          const text = configText({ ...choices("/var/lib/relay"), tls: chosenTls(domain, options) });
          const { tls, acme } = configFromText(text, "relay.toml");
          return `${tls.mode} ${acme.email}`;
        } catch (error) {
          return String(error);
        }
      })();
      expect(result).toContain(found);
    });
  }
});

test("the configuration that is written is a valid one, and says what was chosen", () => {
  const config = configFromText(configText(choices("/var/lib/relay")), "relay.toml");
  expect([config.hostname, config.shadowsocks.enabled, config.stateDir] as string[]).toEqual([
    "relay.example",
    true,
    "/var/lib/relay",
  ] as never);
});

describe("ports", () => {
  test("that are taken are told with the program that has them", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const [taken, ...others] = takenPorts([
      { port, protocol: "tcp", service: "smtp" },
      { port, protocol: "udp", service: "turn" },
    ]);
    server.close();
    expect(others).toEqual([]);
    expect(taken?.holder?.pid).toBe(process.pid);
    expect(taken === undefined ? "" : describeTaken(taken)).toMatch(
      /^port \d+\/tcp for smtp is taken by \S+ \(process \d+\)/,
    );
  });

  const proc = mkdtempSync(join(tmpdir(), "madmail-proc-"));
  afterAll(() => rmSync(proc, { recursive: true }));
  test("are found on IPv6 too; a holder that may not be seen is another program", () => {
    mkdirSync(join(proc, "net"));
    const row =
      "   0: 00000000000000000000000000000000:0019 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 4711 1";
    writeFileSync(join(proc, "net/tcp6"), `  sl  local_address\n${row}\n`);
    expect(takenPorts([{ port: 25, protocol: "tcp", service: "smtp" }], proc).map(describeTaken)).toEqual([
      "port 25/tcp for smtp is taken by another program",
    ]);
  });
});

describe("firewall hints", () => {
  const config = configFromText(configText(choices("/var/lib/relay")), "relay.toml");
  const machine = (answers: Record<string, string>): Machine => ({
    root: "/",
    isRoot: true,
    hasSystemd: true,
    has: (program) => program in answers,
    run: ([program]) => Promise.resolve({ code: 0, output: answers[program] ?? "" }),
  });
  const rows: [name: string, answers: Record<string, string>, line: string][] = [
    ["ufw", { ufw: "Status: active\n" }, "ufw allow 993/tcp"],
    ["firewalld", { "firewall-cmd": "running\n" }, "firewall-cmd --permanent --add-port=49152-65535/udp"],
    ["iptables", { iptables: "-P INPUT DROP\n" }, "ip6tables -I INPUT -p tcp --dport 25 -j ACCEPT"],
  ];
  for (const [name, answers, line] of rows) {
    test(`for ${name}`, async () => expect(await firewallHints(machine(answers), config)).toContain(line));
  }
  test("for nftables are one line a protocol", async () => {
    const hints = await firewallHints(
      machine({ nft: "chain input { type filter hook input priority 0; policy drop; }" }),
      config,
    );
    expect(hints).toHaveLength(3);
    expect(hints[1]).toContain("tcp dport { 25, ");
  });
  test("are none where nothing keeps anybody out", async () => {
    const open = machine({ ufw: "Status: inactive\n", nft: "hook input priority 0; policy accept;" });
    expect(await firewallHints(open, config)).toEqual([]);
    expect(wantedPorts(config).length).toBeGreaterThan(8);
  });
});
