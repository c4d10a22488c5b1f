import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adminToken, adminTokenPath, replaceAdminToken } from "./admin-token.ts";

const paths = { path: "/api/admin", web: true, web_path: "/admin", origins: [] };
let stateDir: string;

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "madmail-token-"));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

test("a token is made at first need, for the owner alone, and stays", () => {
  const token = adminToken({ stateDir, admin: paths });
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(statSync(adminTokenPath(stateDir)).mode & 0o777).toBe(0o600);
  expect(adminToken({ stateDir, admin: paths })).toBe(token);
});

test.each(["0".repeat(64), "short", "with space inside"])(
  "the token %p of another version is kept",
  (kept) => {
    writeFileSync(adminTokenPath(stateDir), `${kept}\n`);
    expect(adminToken({ stateDir, admin: paths })).toBe(kept);
  },
);

test("the configuration's token wins, and one word of it turns the API off", () => {
  expect(adminToken({ stateDir, admin: { ...paths, token: "from the file" } })).toBe("from the file");
  expect(adminToken({ stateDir, admin: { ...paths, token: "disabled" } })).toBeUndefined();
});

test("a replaced token is another one", () => {
  const first = adminToken({ stateDir, admin: paths });
  const second = replaceAdminToken(stateDir);
  expect(second).not.toBe(first);
  expect(readFileSync(adminTokenPath(stateDir), "utf8").trim()).toBe(second);
});
