/**
 * Root works on a stopped relay that runs as another user: whatever the command leaves must be that user's, or the
 * service could not start again. Needs root.
 */
import { afterAll, expect, test } from "bun:test";
import { chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runMadmail } from "../support/relay.ts";

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;
if (!isRoot) console.log("(skip) only root can work for another user: run this suite as root");

const directory = mkdtempSync(join(tmpdir(), "madmail-owner-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function foreign(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: "utf8" }).filter(
    (name) => lstatSync(join(path, name)).uid !== NOBODY,
  );
}

test.skipIf(!isRoot)("what root's commands leave belongs to the relay's user", async () => {
  const stateDir = join(directory, "state");
  mkdirSync(stateDir, { mode: 0o700 });
  chownSync(stateDir, NOBODY, NOBODY);
  chownSync(directory, NOBODY, NOBODY);
  const config = join(directory, "madmail.toml");
  writeFileSync(config, `state_dir = "${stateDir}"\ndomains = ["relay.test"]\n`);
  const run = (...args: string[]) => runMadmail([...args, "--config", config, "--json"]);
  expect((await run("accounts", "create", "alice", "--password", "password-1")).code).toBe(0);
  expect((await run("imap-mboxes", "create", "alice", "Letters")).code).toBe(0);
  expect((await run("notice", "send", "alice", "--subject", "Hello", "--body", "There", "--yes")).code).toBe(
    0,
  );
  const list = join(directory, "accounts.json");
  expect((await run("accounts", "export", "-o", list)).code).toBe(0);
  // What the command writes for root is root's.
  expect(lstatSync(list).uid).toBe(0);
  expect(readdirSync(stateDir)).toContain("madmail.db");
  expect(foreign(stateDir)).toEqual([]);
});
