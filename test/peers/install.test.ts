/**
 * From a signed release to a relay that runs, is upgraded, taken back, and removed: install.sh and the compiled program
 * in a root of its own, as an operator types it. This file runs twice: outside it makes the releases and enters that
 * root; inside it holds the tests.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { brokenRelease } from "../support/broken-release.ts";
import { freshRootAbsent, inFreshRoot } from "../support/fresh-root.ts";
import { installSystemctl } from "../support/systemctl.ts";

const repository = resolve(import.meta.dir, "../..");
const releases = process.env["MADMAIL_TEST_RELEASES"];
/** What systemd-analyze gives at most: 10 is a service without any sandbox. */
const EXPOSURE_MAX = 2;

if (releases === undefined) outside();
else inside(releases);

function outside(): void {
  const absent = freshRootAbsent();
  const dir = mkdtempSync(join(tmpdir(), "madmail-releases-"));
  afterAll(() => rmSync(dir, { recursive: true }));

  const make = (out: string, ...more: string[]) => {
    const args = [
      "--key",
      join(dir, "key.pem"),
      "--targets",
      "linux-x64",
      "--out",
      join(dir, out),
      "--level",
      "1",
      ...more,
    ];
    const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, "release/release.ts", ...args], {
      cwd: repository,
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, SOURCE_DATE_EPOCH: "1700000000" },
    });
    if (exitCode !== 0) throw new Error(stdout.toString() + stderr.toString());
  };

  beforeAll(() => {
    if (process.platform !== "linux" || process.arch !== "x64") return;
    const { privateKey } = generateKeyPairSync("ed25519");
    writeFileSync(join(dir, "key.pem"), privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
    make("1.0.0", "--version", "1.0.0");
    make("1.1.0", "--version", "1.1.0");
    make("1.2.0", "--version", "1.2.0", "--entry", brokenRelease);
  }, 300_000);

  const isHere = process.platform === "linux" && process.arch === "x64";
  test.skipIf(!isHere)(
    "a release is the same bytes when it is made again",
    () => {
      make("again", "--version", "1.0.0");
      const names = readdirSync(join(dir, "1.0.0")).sort();
      expect(readdirSync(join(dir, "again")).sort()).toEqual(names);
      for (const name of names) {
        const [one, other] = [join(dir, "1.0.0", name), join(dir, "again", name)].map((path) =>
          readFileSync(path),
        );
        expect([name, one?.equals(other ?? Buffer.alloc(0))]).toEqual([name, true]);
      }
      rmSync(join(dir, "again"), { recursive: true });
    },
    60_000,
  );

  test.skipIf(Bun.which("shellcheck") === null)("install.sh has nothing that shellcheck minds", () => {
    const { exitCode, stdout } = Bun.spawnSync(["shellcheck", join(repository, "install.sh")], {
      stdout: "pipe",
    });
    expect([exitCode, stdout.toString()]).toEqual([0, ""]);
  });

  const why = absent ?? (isHere ? undefined : "the releases of this test are for linux-x64");
  test.skipIf(why !== undefined)(
    `install, upgrade and uninstall in a root of its own${why ? ` (${why})` : ""}`,
    () => {
      const file = join(repository, "test/peers/install.test.ts");
      const modules = realpathSync(join(repository, "node_modules"));
      const { code, output } = inFreshRoot(
        [repository, modules, dir],
        ["sh", "-c", `cd ${repository} && exec ${process.execPath} test ${file} --timeout=120000`],
        { MADMAIL_TEST_RELEASES: dir },
      );
      mkdirSync(join(repository, "test-artifacts"), { recursive: true });
      writeFileSync(join(repository, "test-artifacts/install.log"), output);
      if (code !== 0) throw new Error(output);
      expect(output).toContain(" 0 fail");
    },
    260_000,
  );
}

function inside(dir: string): void {
  const has = (path: string) => lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  const run = (...command: string[]) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync(command, {
      cwd: "/",
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    return { code: exitCode, output: stdout.toString() + stderr.toString() };
  };
  const works = (...command: string[]) => {
    const { code, output } = run(...command);
    if (code !== 0) throw new Error(`${command.join(" ")}: ${code}\n${output}`);
    return output;
  };
  /** Copies a release and changes it. */
  const spoilt = (version: string, name: string, spoil: (path: string) => void) => {
    const copy = mkdtempSync("/tmp/spoilt-");
    cpSync(join(dir, version), copy, { recursive: true });
    spoil(join(copy, name));
    return copy;
  };
  const archive = (version: string) => join(dir, version, `madmail-${version}-linux-x64.tar.gz`);
  const running = () => {
    const { data } = JSON.parse(works("madmail", "--json", "preflight", "--live")) as {
      data: { version: string };
    };
    return data.version;
  };
  const inUse = () => works("madmail", "versions", "current").trim();

  beforeAll(installSystemctl);

  describe("install.sh", () => {
    const script = (...args: string[]) => run("sh", ...args);

    test("refuses a list of sums that somebody changed, and installs nothing", () => {
      const bad = spoilt("1.0.0", "SHA256SUMS", (path) => appendFileSync(path, "\n"));
      const { code, output } = script(join(bad, "install.sh"));
      expect([code, output]).toEqual([1, expect.stringContaining("INVALID SIGNATURE")]);
      expect(has("/opt/madmail")).toBe(false);
    });

    test("refuses an archive that somebody changed", () => {
      const bad = spoilt("1.0.0", "madmail-1.0.0-linux-x64.tar.gz", (path) => appendFileSync(path, "x"));
      const { code, output } = script(join(bad, "install.sh"));
      expect([code, output]).toEqual([1, expect.stringContaining("wrong checksum")]);
      expect(has("/opt/madmail")).toBe(false);
    });

    test("refuses a release that another key signed", () => {
      works("sh", "-c", "openssl genpkey -algorithm ed25519 | openssl pkey -pubout > /tmp/other.pem");
      const { code, output } = script(join(dir, "1.0.0/install.sh"), "--public-key", "/tmp/other.pem");
      expect([code, output]).toEqual([1, expect.stringContaining("INVALID SIGNATURE")]);
    });

    test("knows no release key in the source, and says what to do", () => {
      const { code, output } = script(join(repository, "install.sh"), "--from", join(dir, "1.0.0"));
      expect([code, output]).toEqual([1, expect.stringContaining("--public-key")]);
    });

    test("says who has a port, and changes nothing", async () => {
      const server = Bun.listen({ hostname: "127.0.0.1", port: 25, socket: { data() {} } });
      const args = [join(dir, "1.0.0/install.sh"), "--", "--simple", "--ip", "127.0.0.1"];
      // Not in this process: that could not answer meanwhile.
      const child = Bun.spawn(["sh", ...args], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
      const said = await new Response(child.stderr).text();
      server.stop(true);
      expect(said).toMatch(/port 25\/tcp for smtp is taken by bun\S* \(process \d+\)/);
      expect([has("/opt/madmail"), has("/etc/madmail"), has("/var/lib/madmail")]).toEqual([
        false,
        false,
        false,
      ]);
    });

    test("puts a relay into place from a pipe, and that runs", () => {
      const { code, output } = run(
        "sh",
        "-c",
        `cat ${join(dir, "1.0.0/install.sh")} | sh -s -- --from ${join(dir, "1.0.0")} -- --simple --ip 127.0.0.1`,
      );
      expect([code, output]).toEqual([0, expect.stringContaining("signature and checksum are right")]);
      expect(output).toContain("madmail runs");
      expect(output).toMatch(/The admin panel; .*\n\n {2}https:/);
      const link = /dclogin:(\S+)\/\?p=(\w+)&/.exec(output);
      expect(running()).toBe("1.0.0");
      const [user = "", password = ""] = [link?.[1], link?.[2]];
      const login = ["curl", "-sk", "--user", `${user}:${password}`, "imaps://127.0.0.1:993/INBOX?ALL"];
      expect(works(...login)).toContain("* SEARCH");
    });

    test("does nothing the second time", () => {
      const output = works("sh", join(dir, "1.0.0/install.sh"), "--", "--simple", "--ip", "127.0.0.1");
      expect(output).toContain("1.0.0 is in use already");
      expect(output.split("\n").filter((line) => line.startsWith("done"))).toEqual([]);
    });
  });

  describe("what is installed", () => {
    test("belongs to whom it should", () => {
      const owner = (path: string) => works("stat", "-c", "%U:%G %a", path).trim();
      expect(owner("/var/lib/madmail")).toBe("madmail:madmail 700");
      expect(owner("/var/lib/madmail/dkim/default.private")).toBe("madmail:madmail 600");
      expect(owner("/var/lib/madmail/turn-secret")).toBe("madmail:madmail 600");
      expect(owner("/etc/madmail/madmail.toml")).toBe("root:madmail 640");
      expect(owner("/opt/madmail/versions/1.0.0/madmail")).toBe("root:root 755");
      expect(readlinkSync("/usr/local/bin/madmail")).toBe("/opt/madmail/current/madmail");
    });

    test.skipIf(Bun.which("systemd-analyze") === null)(
      "has units that systemd takes, and a tight sandbox",
      () => {
        const units = ["/etc/systemd/system/madmail.service", "/etc/systemd/system/madmail-recover.service"];
        expect(works("systemd-analyze", "verify", ...units)).toBe("");
        const said = works("systemd-analyze", "security", "--offline=true", "--no-pager", units[0] ?? "");
        const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(said)?.[1]);
        expect(exposure).toBeLessThanOrEqual(EXPOSURE_MAX);
      },
    );

    test("carries another name all through when it was given one", () => {
      const root = mkdtempSync("/tmp/renamed-");
      mkdirSync(join(root, "etc"));
      cpSync("/etc/passwd", join(root, "etc/passwd"));
      cpSync("/etc/group", join(root, "etc/group"));
      cpSync("/opt/madmail/current/madmail", join(root, "nightingale"));
      works(
        join(root, "nightingale"),
        "install",
        "--simple",
        "--domain",
        "relay.example",
        "--root",
        root,
        "--no-dns",
      );
      rmSync(join(root, "nightingale"));
      const names = readdirSync(root, { recursive: true, encoding: "utf8" });
      expect(names.filter((name) => name.includes("madmail"))).toEqual([]);
      expect(names).toContain("etc/systemd/system/nightingale.service");
      for (const file of ["etc/nightingale/nightingale.toml", "etc/systemd/system/nightingale.service"]) {
        expect(readFileSync(join(root, file), "utf8")).not.toMatch(/madmail/i);
      }
      rmSync(root, { recursive: true });
    });
  });

  describe("upgrade", () => {
    let site: Bun.Server<undefined>;
    beforeAll(() => {
      const fetch = (request: Request) => new Response(Bun.file(join(dir, new URL(request.url).pathname)));
      site = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch });
    });
    afterAll(() => site.stop(true));
    /** Not with spawnSync: the site is in this process. */
    const upgrade = async (...args: string[]) => {
      const child = Bun.spawn(["madmail", "upgrade", ...args], {
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const [out, err] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      return { code: await child.exited, output: out + err };
    };

    test("refuses what is not signed, signed by nobody, or changed", async () => {
      const bad = spoilt("1.1.0", "madmail-1.1.0-linux-x64.tar.gz", (path) => appendFileSync(path, "x"));
      const unsigned = spoilt("1.1.0", "madmail-1.1.0-linux-x64.tar.gz.sig", (path) => rmSync(path));
      for (const place of [bad, unsigned]) {
        const { code, output } = await upgrade(join(place, "madmail-1.1.0-linux-x64.tar.gz"));
        expect([code, output]).toEqual([1, expect.stringContaining("INVALID SIGNATURE")]);
      }
      expect([inUse(), running()]).toEqual(["1.0.0", "1.0.0"]);
    });

    test("changes nothing where the disk is full or read-only, and says so", async () => {
      mkdirSync("/opt/madmail/backups", { recursive: true });
      works("mount", "-t", "tmpfs", "-o", "size=16k", "none", "/opt/madmail/backups");
      const full = await upgrade(archive("1.1.0"));
      works("umount", "/opt/madmail/backups");
      expect([full.code, full.output]).toEqual([1, expect.stringMatching(/full[^]*Nothing was changed/)]);
      works("mount", "--bind", "/opt/madmail", "/opt/madmail");
      works("mount", "-o", "remount,bind,ro", "/opt/madmail");
      const readOnly = await upgrade(archive("1.1.0"));
      works("umount", "/opt/madmail");
      expect([readOnly.code, readOnly.output]).toEqual([1, expect.stringMatching(/^madmail: /)]);
      expect(readOnly.output).not.toContain("    at ");
      expect([inUse(), running()]).toEqual(["1.0.0", "1.0.0"]);
    });

    test("takes a release from the web, starts it, and keeps the one before", async () => {
      const { code, output } = await upgrade(`http://127.0.0.1:${site.port}/1.1.0/`);
      expect([code, output]).toEqual([0, expect.stringContaining("1.1.0 is in use; 1.0.0 is kept")]);
      expect([inUse(), running()]).toEqual(["1.1.0", "1.1.0"]);
      expect(works("madmail", "versions", "list")).toMatch(/^1\.1\.0 +in use .*\n1\.0\.0 +before /);
    });

    test("does not go back to an older version unasked", async () => {
      const { code, output } = await upgrade(archive("1.0.0"));
      expect([code, output]).toEqual([1, expect.stringContaining("1.0.0 is older than 1.1.0")]);
    });

    test("takes a release back that crashes after it has changed the database", async () => {
      const { code, output } = await upgrade(join(dir, "1.2.0"));
      expect(code).toBe(1);
      expect(output).toContain("does not start");
      expect(output).toContain("Version 1.1.0 is back in use, with the database as it was before");
      expect([inUse(), running()]).toEqual(["1.1.0", "1.1.0"]);
      expect(works("stat", "-c", "%U %a", "/var/lib/madmail/madmail.db").trim()).toBe("madmail 600");
    });

    for (const step of [
      "note of what is under way",
      "/opt/madmail/current -> 1.0.0",
      "madmail starts anew",
    ]) {
      test(`killed after "${step}" leaves a program that works, and is settled by the next command`, async () => {
        const before = inUse();
        const other = before === "1.1.0" ? "1.0.0" : "1.1.0";
        const line = step.replace("1.0.0", other);
        const child = Bun.spawn(["madmail", "versions", "use", other], { stdout: "pipe", stderr: "ignore" });
        let output = "";
        for await (const piece of child.stdout) {
          output += new TextDecoder().decode(piece);
          if (output.includes(line)) child.kill("SIGKILL");
        }
        await child.exited;
        expect([child.signalCode, output.includes(line)]).toEqual(["SIGKILL", true]);
        expect(works("madmail", "version")).toStartWith("madmail 1.");
        works("madmail", "versions", "recover");
        expect(running()).toBe(inUse());
        expect(existsSync("/opt/madmail/upgrade.json")).toBe(false);
      });
    }

    test("a version that is not in use can be removed, that in use can't", () => {
      const current = inUse();
      const other = current === "1.1.0" ? "1.0.0" : "1.1.0";
      expect(run("madmail", "versions", "remove", current, "--yes").output).toContain("in use");
      works("madmail", "versions", "remove", other, "--yes");
      expect(works("madmail", "versions", "list")).not.toContain(other);
    });
  });

  describe("uninstall", () => {
    test("asks first, and says what it would remove", () => {
      const { code, output } = run("madmail", "uninstall");
      expect([code, output]).toEqual([1, expect.stringContaining("configuration, mail and accounts stay")]);
      expect(works("madmail", "uninstall", "--dry-run")).toContain("Nothing was removed.");
      expect(running()).toBe(inUse());
    });

    test("stops the relay and leaves configuration and state; installing again finds them", () => {
      works("madmail", "uninstall", "--yes");
      expect([has("/usr/local/bin/madmail"), has("/opt/madmail"), has("/etc/madmail/madmail.toml")]).toEqual([
        false,
        false,
        true,
      ]);
      const output = works("sh", join(dir, "1.1.0/install.sh"), "--", "--simple", "--ip", "127.0.0.1");
      expect(output).toContain("there  configuration /etc/madmail/madmail.toml");
      expect(running()).toBe("1.1.0");
    });

    test("with --purge leaves nothing", () => {
      works("sh", join(dir, "1.1.0/install.sh"), "--uninstall", "--purge");
      for (const path of ["/usr/local/bin/madmail", "/opt/madmail", "/etc/madmail", "/var/lib/madmail"]) {
        expect([path, has(path)]).toEqual([path, false]);
      }
      expect(run("id", "madmail").code).toBe(1);
    });
  });
}
