/**
 * The one test command (`npm test`): every stage in order, cheap ones first. `--only=a,b` runs some of them.
 * A stage's output is shown when it fails; the last lines name what was skipped and sum up all tests.
 * A stage that is no test suite (types, lint, build …) counts as one test.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const root = resolve(import.meta.dir, "..");
const artifacts = join(root, "test-artifacts");
const bin = (name: string) => join(root, "node_modules/.bin", name);
const bun = process.execPath;
/** Of each captured log, when a suite fails. */
const LOG_TAIL_BYTES = 1_500;
const STAGE_TIMEOUT_MS = 20 * 60_000;
/** Debian packages that suites need, and how to see that they are there. */
const debianPackages: readonly [name: string, check: string[]][] = [
  ["swaks", ["swaks", "--version"]],
  ["libnet-ssleay-perl", ["perl", "-MNet::SSLeay", "-e", "1"]],
  ["curl", ["curl", "--version"]],
  ["openssl", ["openssl", "version"]],
  ["python3", ["python3", "--version"]],
  ["shadowsocks-libev", ["ss-local", "-h"]],
  ["coturn", ["sh", "-c", "command -v turnutils_uclient"]],
  ["isync", ["mbsync", "--version"]],
  ["offlineimap3", ["offlineimap", "--version"]],
  ["neomutt", ["neomutt", "-v"]],
  ["gnupg", ["gpg", "--version"]],
  ["dovecot-imapd", ["test", "-x", "/usr/lib/dovecot/imap"]],
  ["python3-dkim", ["/usr/bin/python3", "-c", "import dkim"]],
  ["python3-nacl", ["/usr/bin/python3", "-c", "import nacl"]],
  ["opendkim", ["opendkim", "-V"]],
  ["lz4", ["lz4", "--version"]],
  ["iproute2", ["ip", "-V"]],
  ["systemd", ["systemd-analyze", "--version"]],
  ["shellcheck", ["shellcheck", "--version"]],
  ["pebble", ["sh", "-c", "command -v pebble"]],
  ["chromium", ["sh", "-c", "command -v chromium"]],
  ["dovecot-lmtpd", ["test", "-x", "/usr/lib/dovecot/lmtp"]],
  ["postfix", ["test", "-x", "/usr/lib/postfix/sbin/master"]],
];

interface Stage {
  name: string;
  /** Commands run one after the other; the first failure ends the stage. */
  commands: () => string[][];
  /** A test suite: its own counts are added. */
  suite?: boolean;
  /** Needs the compiled binary. */
  binary?: boolean;
  before?: () => Promise<void>;
  /** Why there is nothing to run here; undefined when there is. */
  absent?: () => string | undefined;
}

interface Tally {
  passed: number;
  failed: number;
  skipped: string[];
}

const stages: readonly Stage[] = [
  { name: "types", commands: () => [[bin("tsc"), "--noEmit"]] },
  { name: "lint", commands: () => [[bin("oxlint"), "--type-aware"]] },
  { name: "format", commands: () => [[bin("biome"), "format"]] },
  { name: "dead", commands: () => [[bin("knip"), "--no-progress", "--no-config-hints"]] },
  { name: "layers", commands: () => [bunTest(["test/layers.test.ts"])], suite: true },
  {
    name: "docs",
    commands: () => [[bun, "release/docs.ts", "--check"]],
    absent: () => (existsSync(join(root, "release/docs.ts")) ? undefined : "there is no release/docs.ts"),
  },
  {
    name: "build",
    commands: () => [[bun, "release/build.ts"]],
    absent: () => {
      if (process.env["MADMAIL_BIN"] !== undefined) return "MADMAIL_BIN names the binary";
      return existsSync(join(root, "release/build.ts")) ? undefined : "there is no release/build.ts";
    },
  },
  {
    name: "unit",
    commands: () => [bunTest(["src", "test/talks/", "release", "web"], ["--parallel=2", "--timeout=30000"])],
    suite: true,
  },
  { name: "fuzz", commands: () => [[bun, "test/fuzz/main.ts", "--minutes", "0.25"]] },
  {
    name: "peers",
    commands: () => [bunTest(["test/peers"], ["--timeout=60000"])],
    suite: true,
    binary: true,
    before: installPackages,
  },
  { name: "live", commands: () => [bunTest(["test/talks-live"])], suite: true, binary: true },
  {
    name: "oracle",
    commands: () => [bunTest(["test/oracle"], ["--timeout=60000"])],
    suite: true,
    binary: true,
    before: installPackages,
  },
  {
    name: "crash",
    commands: () => [bunTest(["test/crash"], ["--timeout=60000"])],
    suite: true,
    binary: true,
  },
  {
    name: "browser",
    commands: () => [bunTest(["test/browser"], ["--timeout=60000"])],
    suite: true,
    binary: true,
    before: installPackages,
  },
  { name: "e2e", commands: () => [bunTest(["test/e2e"], ["--timeout=60000"])], suite: true, binary: true },
  {
    name: "commands",
    commands: () => [[bun, "test/commands-seen.ts"]],
    absent: () => (wanted === undefined ? undefined : "only some suites ran"),
  },
];

const { values } = parseArgs({ args: process.argv.slice(2), options: { only: { type: "string" } } });
const wanted = values.only?.split(",");
const unknown = wanted?.filter((name) => !stages.some((stage) => stage.name === name)) ?? [];
if (unknown.length > 0) {
  console.error(
    `no stage is called ${unknown.join(", ")}; there are: ${stages.map((s) => s.name).join(", ")}`,
  );
  process.exit(2);
}

rmSync(artifacts, { recursive: true, force: true });
const total: Tally = { passed: 0, failed: 0, skipped: [] };
const failedStages: string[] = [];
for (const stage of stages) {
  if (wanted !== undefined && !wanted.includes(stage.name)) continue;
  const tally = await runStage(stage);
  total.passed += tally.passed;
  total.failed += tally.failed;
  total.skipped.push(...tally.skipped.map((what) => `${stage.name}: ${what}`));
  if (tally.failed > 0) failedStages.push(stage.name);
}
console.log("");
if (failedStages.length > 0) console.log(`failed: ${failedStages.join(", ")}`);
for (const what of total.skipped) console.log(`skipped: ${what}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped.length} skipped`);
process.exit(total.failed === 0 ? 0 : 1);

async function runStage(stage: Stage): Promise<Tally> {
  const absent = stage.absent?.();
  if (absent !== undefined) {
    report(stage.name, "skipped", 0, absent);
    return { passed: 0, failed: 0, skipped: [absent] };
  }
  if (stage.binary === true && !existsSync(resolve(root, process.env["MADMAIL_BIN"] ?? "dist/madmail"))) {
    report(stage.name, "FAILED", 0, "dist/madmail is missing: run the stage `build` first");
    return { passed: 0, failed: 1, skipped: [] };
  }
  const startedAt = performance.now();
  await stage.before?.();
  let output = "";
  let code = 0;
  for (const command of stage.commands()) {
    const result = await run(command);
    output += result.output;
    code = result.code;
    if (code !== 0) break;
  }
  const tally = stage.suite === true ? countSuite(output, code) : countOne(code);
  const counts = stage.suite === true ? `${tally.passed} passed, ${tally.skipped.length} skipped` : "";
  report(stage.name, tally.failed === 0 ? "ok" : "FAILED", performance.now() - startedAt, counts);
  if (tally.failed > 0) showFailure(stage, output);
  return tally;
}

function countOne(code: number): Tally {
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: [] };
}

/** Reads the closing lines of `bun test`, and the names of skipped tests. */
function countSuite(output: string, code: number): Tally {
  const closing = (word: string) => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(output)?.[1] ?? 0);
  const failed = closing("fail") + closing("errors?");
  const listed = output.split(/^\d+ tests? skipped:$/m)[0] ?? output;
  const names = [...listed.matchAll(/^\((?:skip|todo)\) (.*)$/gm)].map((match) => match[1] ?? "");
  const missing = closing("skip") + closing("todo") - names.length;
  const skipped = [...names, ...Array.from({ length: Math.max(0, missing) }, () => "a test without a name")];
  // A crash of the runner leaves no closing lines: that is a failure too.
  return { passed: closing("pass"), failed: code !== 0 && failed === 0 ? 1 : failed, skipped };
}

function report(name: string, outcome: string, ms: number, more: string): void {
  const time = ms === 0 ? "" : ` in ${(ms / 1000).toFixed(1)} s`;
  console.log(`${name.padEnd(9)}${outcome}${time}${more === "" ? "" : `: ${more}`}`);
}

function showFailure(stage: Stage, output: string): void {
  // What passed is noise here, and so is the name of a file in which nothing failed.
  const told = output.replace(/^\(pass\) .*\n/gm, "").replace(/^\S+\.test\.tsx?:\n\n/gm, "");
  console.log(told.trimEnd());
  if (stage.binary !== true || !existsSync(artifacts)) return;
  for (const file of readdirSync(artifacts).filter((name) => name.endsWith(".log"))) {
    const text = readFileSync(join(artifacts, file), "utf8");
    console.log(`\n--- test-artifacts/${file} (its end)\n${text.slice(-LOG_TAIL_BYTES)}`);
  }
}

function bunTest(paths: readonly string[], flags: readonly string[] = []): string[] {
  return [bun, "test", ...paths.filter((path) => existsSync(join(root, path))), ...flags];
}

async function run(command: string[]): Promise<{ code: number; output: string }> {
  const child = Bun.spawn(command, {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: STAGE_TIMEOUT_MS,
    killSignal: "SIGKILL",
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, output: out + err };
}

/** Where it may (root, apt there), the set-up installs what suites need; elsewhere those suites skip. */
async function installPackages(): Promise<void> {
  mkdirSync(artifacts, { recursive: true });
  const missing = debianPackages
    .filter(
      ([, [program = "", ...args]]) =>
        !Bun.which(program) || Bun.spawnSync([program, ...args]).exitCode !== 0,
    )
    .map(([name]) => name);
  if (missing.length === 0 || process.getuid?.() !== 0 || Bun.which("apt-get") === null) return;
  // Postfix' package asks questions otherwise.
  const install = [
    "env",
    "DEBIAN_FRONTEND=noninteractive",
    "apt-get",
    "install",
    "-y",
    "--no-install-recommends",
    ...missing,
  ];
  if ((await run(install)).code === 0) return;
  await run(["apt-get", "update"]);
  const { code } = await run(install);
  if (code !== 0) console.log(`could not install ${missing.join(", ")}`);
}
