/**
 * The commands that no suite of their own runs: each on a running relay and on a stopped one, with the envelope that
 * scripts read. What their data holds is named as far as it does not depend on the day.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/free-port.ts";
import { Relay, runMadmail } from "../support/relay.ts";

let relay: Relay;

const place = () => ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir];
const text = expect.any(String) as string;
const number = expect.any(Number) as number;
const list = expect.any(Array) as unknown[];
const anna = `openpgp4fpr:${"A".repeat(40)}#a=anna%40relay.test&n=Anna&i=x&s=y`;

beforeAll(async () => {
  // A link names the port that the configuration names.
  relay = await Relay.start({
    name: "cli-others",
    config: { shadowsocks: { listen: [`127.0.0.1:${freePort()}`] } },
  });
  mkdirSync(join(relay.dir, "old"));
  writeFileSync(join(relay.dir, "old", "index.html"), "<h1>{{.MailDomain}}</h1>\n");
  writeFileSync(
    join(relay.dir, "maddy.conf"),
    "$(hostname) = relay.test\nhostname $(hostname)\nunheard_of yes\nsubmission tls://0.0.0.0:465 {\n  require_pgp yes\n}\n",
  );
});
afterAll(() => relay.dispose());

/** Words, exit code, and what the data has; `DIR` is the relay's directory. */
type Row = [words: string, code: 0 | 1, has?: object];

const services = [
  "smtp",
  "submission",
  "submission-tls",
  "imap",
  "imap-tls",
  "turn",
  "iroh",
  "shadowsocks",
  "ss",
  "http",
  "https",
];
const ports = services.flatMap((service): Row[] => [
  [`port ${service} status`, 0, { service: text, access: text, bound: list }],
  [`port ${service} set ${4000 + services.indexOf(service)}`, 0, { port: 4000 + services.indexOf(service) }],
  [`port ${service} local`, service === "shadowsocks" || service === "ss" ? 1 : 0],
  [`port ${service} public`, service === "shadowsocks" || service === "ss" ? 1 : 0],
  [`port ${service} reset`, 0, { source: text }],
]);

const rows: Row[] = [
  ...ports,
  ["port https disable", 0],
  ["port https enable", 0],
  ["port https reset", 0],
  ["port http disable", 0],
  ["port http enable", 0],
  ["port http reset", 0],
  ["turn disable", 0],
  ["turn enable", 0],
  ["iroh disable", 0],
  ["iroh enable", 0],
  ["webimap status", 0],
  ["websmtp enable", 0],
  ["websmtp disable", 0],
  ["webmail-cors reset", 0],
  ["admin-web enable", 0],
  ["proxy enable", 0],
  ["dns-cache set peer.test 192.0.2.7 tunnel", 0, { key: "peer.test", target: "192.0.2.7" }],
  ["dns-cache get peer.test", 0, { comment: "tunnel" }],
  ["endpoint-cache list", 0, { total: 1 }],
  ["dns-cache remove peer.test", 0],
  ["dns-cache get peer.test", 1],
  [`sharing create anna ${anna} Anna`, 0, { slug: "anna", name: "Anna" }],
  ["sharing create anna nonsense", 1],
  ["sharing list", 0],
  [`sharing edit anna ${anna} Annie`, 0, { name: "Annie" }],
  ["sharing reserve keepfree", 0],
  ["sharing remove anna --yes", 0],
  ["sharing remove anna --yes", 1],
  ["sharing remove keepfree --yes", 0],
  ["html-export DIR/www", 0],
  ["html-serve DIR/www", 0],
  ["html-serve embedded", 0],
  ["html-migrate DIR/old", 0],
  ["html-migrate DIR/nowhere", 1],
  ["tasks list", 0, { tasks: list }],
  ["tasks run prune-old-messages --dry-run", 0, { dryRun: true, outcome: "done" }],
  ["tasks run retention --dry-run", 0, { dryRun: true }],
  ["tasks run nothing", 1],
  ["tasks run-all --yes", 0],
  ["echo status", 0, { enabled: false }],
  ["echo enable", 0],
  ["echo disable", 0],
  ["config convert DIR/nowhere.conf", 1],
  ["creds logging off", 0, { value: "true" }],
  ["creds logging status", 0, { value: "true" }],
  ["creds logging on", 0],
  ["migrate-pgp-config DIR/maddy.conf --dry-run", 0, { directives: [{ name: "require_pgp", line: 5 }] }],
  ["migrate-pgp-config DIR/nowhere.conf", 1],
  ["config show", 0],
  ["config check", 0],
  ["dkim show", 0],
  ["dns show", 0],
  ["certificate status", 0],
  ["certificate enable --email postmaster@relay.test", 0, { enabled: true }],
  ["certificate enable --email nonsense", 1],
  ["certificate disable", 0, { enabled: false }],
  ["certificate renew", 1],
  ["certificate regenerate", 1],
  ["certificate get", 1],
  ["versions list", 0],
  ["versions path", 1],
  ["versions prune --yes", 1],
  ["versions use 9.9.9", 1],
  ["queue status", 0, { messages: 0, bytes: 0 }],
  ["queue list", 0, { total: 0, entries: [] }],
  ["queue show 1-1.1", 1],
  ["queue retry all", 0, { count: 0 }],
  ["queue purge --yes", 0, { count: 0 }],
  ["doctor --offline", 0],
  ["status", 0, { accounts: number }],
];

/** What only one of the two can do. */
const onlyRunning: Row[] = [
  ["reload", 0, { notices: list }],
  ["proxy profiles", 0, { link: text, sip008: {}, xray: {} }],
  // Once only: what is there already is not written over.
  ["config convert DIR/maddy.conf -o DIR/converted.toml", 0],
  ["dkim rotate", 0],
  ["dkim rotate", 1],
  ["proxy disable", 0],
];

async function play([words, code, has]: Row): Promise<void> {
  const args = words.split(" ").map((word) => word.replace("DIR", relay.dir));
  const { code: got, output } = await runMadmail([...args, "--json", ...place()]);
  const line = output.trim().split("\n").at(-1) ?? "";
  const answer = JSON.parse(line) as { ok: boolean; command?: string; data?: unknown; error?: string };
  expect([words, got, output]).toEqual([words, code, output]);
  expect(answer.ok).toBe(code === 0);
  expect(typeof answer.command).toBe(code === 0 ? "string" : "undefined");
  expect("data" in answer).toBe(code === 0);
  expect(typeof answer.error).toBe(code === 0 ? "undefined" : "string");
  if (has !== undefined) expect(answer.data).toMatchObject(has);
}

const named = (each: readonly Row[]) => each.map((row) => ({ name: row[0], row }));

describe("on a running relay", () => {
  test.each(named([...rows, ...onlyRunning]))("$name", async ({ row }) => await play(row));
});

describe("on a stopped relay", () => {
  beforeAll(() => relay.stop());
  test.each(named(rows.filter(([words]) => !words.startsWith("html-export"))))(
    "$name",
    async ({ row }) => await play(row),
  );
  test("reload says that nothing runs", async () => await play(["reload", 1]));
});

test("dns check and dkim check tell by their exit code that records are missing", async () => {
  for (const words of [
    ["dns", "check"],
    ["dkim", "check"],
  ]) {
    const { code } = await runMadmail([...words, "--json", ...place()]);
    expect(code).toBe(1);
  }
});
