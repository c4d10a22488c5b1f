/** An upgrade on a machine that is killed, full of broken releases, or both: there is always a program that works. */
import { describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configFromText } from "../../config/read.ts";
import { ManualClock } from "../../core/clock.ts";
import { closeDatabase, openDatabase } from "../../db/open.ts";
import { Killed, TestMachine } from "../install/machine.test-help.ts";
import { placesOf } from "../install/places.ts";
import { type RunOptions, runSteps } from "../install/steps.ts";
import { Upgrade } from "./upgrade.ts";

const quiet: RunOptions = { dryRun: false, onStep: () => {} };

/** A relay at 1.0.0 that runs, with a database. */
async function installed(machine: TestMachine): Promise<Upgrade> {
  const places = placesOf("relay");
  const config = configFromText(
    `state_dir = ${JSON.stringify("/var/lib/relay")}\nhostname = "relay.test"\ndomains = ["relay.test"]\n`,
    "relay.toml",
  );
  mkdirSync(join(machine.root, "var/lib/relay"), { recursive: true });
  mkdirSync(join(machine.root, "etc/systemd/system"), { recursive: true });
  writeFileSync(join(machine.root, places.unit), "");
  closeDatabase(openDatabase(join(machine.root, "var/lib/relay/madmail.db")));
  const upgrade = new Upgrade({
    machine,
    places,
    config,
    clock: new ManualClock(),
    wait: () => Promise.resolve(),
  });
  upgrade.tree.place(machine.program("1.0.0"), "1.0.0");
  upgrade.tree.use("1.0.0");
  await machine.run(["systemctl", "start", "relay"]);
  machine.commands.length = 0;
  return upgrade;
}

/** What must hold of a machine at rest: one version in use, it is the one that runs, and nothing is left to mend. */
function atRest(machine: TestMachine, upgrade: Upgrade): string | undefined {
  expect(machine.runs).toBe(machine.installed("relay"));
  expect(upgrade.isPending).toBe(false);
  expect(Bun.spawnSync([machine.installed("relay"), "version"]).stdout.toString()).toContain(
    String(upgrade.tree.current()),
  );
  return upgrade.tree.current();
}

/** As a release with new tables does at its start. */
function migrate(machine: TestMachine): void {
  const db = new Database(join(machine.root, "var/lib/relay/madmail.db"));
  db.run("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('new', 9999999999999)");
  db.close();
}

function isMigrated(machine: TestMachine): boolean {
  const db = new Database(join(machine.root, "var/lib/relay/madmail.db"), { readonly: true });
  const found = db.query("SELECT 1 FROM __drizzle_migrations WHERE hash = 'new'").get();
  db.close();
  return found !== null;
}

describe("an upgrade", () => {
  test("takes the new version, keeps the one before, and leaves a copy of the database", async () => {
    using machine = new TestMachine();
    const upgrade = await installed(machine);
    await upgrade.take({ executable: machine.program("1.1.0"), version: "1.1.0" }, quiet);
    expect(atRest(machine, upgrade)).toBe("1.1.0");
    expect(upgrade.tree.previous()).toBe("1.0.0");
    expect(readdirSync(join(machine.root, "opt/relay/backups"))).toEqual(["20231114T221320Z-1.0.0.db"]);
  });

  test("does not start a relay that its operator had stopped", async () => {
    using machine = new TestMachine();
    const upgrade = await installed(machine);
    machine.runs = undefined;
    await upgrade.take({ executable: machine.program("1.1.0"), version: "1.1.0" }, quiet);
    expect([upgrade.tree.current(), machine.runs, upgrade.isPending]).toEqual(["1.1.0", undefined, false]);
  });

  test("that refuses the installation changes nothing", async () => {
    using machine = new TestMachine();
    const upgrade = await installed(machine);
    const refused = upgrade.preflight(machine.program("1.1.0", { preflight: 1 }));
    expect(refused).rejects.toThrow("the new version refuses this installation");
    await refused.catch(() => {});
    expect(atRest(machine, upgrade)).toBe("1.0.0");
    upgrade.tidy();
    expect(existsSync(upgrade.workDir)).toBe(false);
  });

  test("that crashes is taken back, and the database only if it was changed", async () => {
    for (const migrates of [true, false]) {
      using machine = new TestMachine();
      const upgrade = await installed(machine);
      machine.onStart = (executable) => {
        if (migrates && executable.includes("1.1.0")) migrate(machine);
        return true;
      };
      const broken = { executable: machine.program("1.1.0", { runs: false }), version: "1.1.0" };
      const fault: unknown = await upgrade.take(broken, quiet).catch((error: unknown) => error);
      expect(String(fault)).toContain("relay does not start");
      expect(String(fault)).toContain("Version 1.0.0 is back in use");
      expect(String(fault).includes("with the database as it was before")).toBe(migrates);
      expect(atRest(machine, upgrade)).toBe("1.0.0");
      expect(isMigrated(machine)).toBe(false);
    }
  });

  test("that starts but does not answer is taken back", async () => {
    using machine = new TestMachine();
    const upgrade = await installed(machine);
    const mute = { executable: machine.program("1.1.0", { preflight: 1 }), version: "1.1.0" };
    expect(upgrade.take(mute, quiet)).rejects.toThrow("runs but does not work");
    await upgrade.take(mute, quiet).catch(() => {});
    expect(atRest(machine, upgrade)).toBe("1.0.0");
  });
});

describe("killed", () => {
  for (const runs of [true, false]) {
    const kind = runs ? "a good release" : "a broken release";

    test(`before any step of ${kind}: the program works at once, and recovery settles it`, async () => {
      using counting = new TestMachine();
      const steps = await (await installed(counting)).steps({
        executable: counting.program("1.1.0"),
        version: "1.1.0",
      });
      const ends = new Set<string | undefined>();
      for (let stopBefore = 0; stopBefore <= steps.length; stopBefore++) {
        using machine = new TestMachine();
        const upgrade = await installed(machine);
        const incoming = { executable: machine.program("1.1.0", { runs }), version: "1.1.0" };
        await runSteps(await upgrade.steps(incoming), { ...quiet, stopBefore }).catch(() => {});
        expect(Bun.spawnSync([machine.installed("relay"), "version"]).exitCode).toBe(0);
        await upgrade.recover();
        ends.add(atRest(machine, upgrade));
        expect(await upgrade.recover()).toBeUndefined();
      }
      expect([...ends]).toEqual(runs ? ["1.0.0", "1.1.0"] : ["1.0.0"]);
    });

    test(`before any command that ${kind} leads to, the way back included: recovery settles it`, async () => {
      for (let killBefore = 1; ; killBefore++) {
        using machine = new TestMachine();
        const upgrade = await installed(machine);
        machine.onStart = (executable) => {
          if (!runs && executable.includes("1.1.0")) migrate(machine);
          return true;
        };
        machine.killBefore = killBefore;
        const incoming = { executable: machine.program("1.1.0", { runs }), version: "1.1.0" };
        const wasKilled = await upgrade.take(incoming, quiet).then(
          () => false,
          (error: unknown) => error instanceof Killed,
        );
        if (!wasKilled) break;
        machine.killBefore = undefined;
        expect(Bun.spawnSync([machine.installed("relay"), "version"]).exitCode).toBe(0);
        await upgrade.recover();
        const end = atRest(machine, upgrade);
        expect(end).toBe(runs && upgrade.tree.current() === "1.1.0" ? "1.1.0" : "1.0.0");
        expect(isMigrated(machine)).toBe(false);
      }
    });
  }
});

describe("the versions", () => {
  test("are listed newest first; old ones go, but neither that in use nor the one before", async () => {
    using machine = new TestMachine();
    const { tree } = await installed(machine);
    for (const version of ["1.2.0", "1.10.0", "1.9.0"]) tree.place(machine.program(version), version);
    tree.use("1.9.0");
    expect(tree.list().map(({ version }) => version)).toEqual(["1.10.0", "1.9.0", "1.2.0", "1.0.0"]);
    expect(tree.prune(3)).toEqual(["1.2.0"]);
    expect(() => tree.remove("1.9.0")).toThrow("in use");
    expect(tree.list().map(({ version, isPrevious }) => [version, isPrevious])).toEqual([
      ["1.10.0", false],
      ["1.9.0", false],
      ["1.0.0", true],
    ]);
  });

  test("of the same number but other bytes are kept apart", async () => {
    using machine = new TestMachine();
    const { tree } = await installed(machine);
    const other = machine.program("1.0.0", { migrates: true });
    expect(await tree.nameFor(other, "1.0.0")).toMatch(/^1\.0\.0\+[0-9a-f]{8}$/);
    expect(await tree.nameFor(tree.executable("1.0.0"), "1.0.0")).toBe("1.0.0");
  });
});
