/** The panel as it is served: under a path that moves, files for ever, the page never, and nothing inline but facts. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Panel } from "./panel.ts";

let directory: string;
let path: string | undefined = "/admin";

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "madmail-panel-"));
  writeFileSync(join(directory, "main-1.js.gz"), gzipSync("let a = 1;"));
  const manifest = {
    entry: { script: "main-1.js", style: "main-1.css" },
    files: { "main-1.js": { bytes: 10 } },
  };
  writeFileSync(join(directory, "manifest.json"), JSON.stringify(manifest));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function get(target: string, init: RequestInit = {}): Response | undefined {
  const panel = new Panel({
    path: () => path,
    apiPath: () => "/api/</script>",
    language: () => "en",
    directory,
  });
  return panel.answer(new Request(`http://relay.test${target}`, init));
}

test("the bare path leads to the page, and every route below it is the page", async () => {
  expect(get("/admin")?.headers.get("location")).toBe("/admin/");
  for (const target of ["/admin/", "/admin/accounts", "/admin/accounts/blocked"]) {
    const response = get(target);
    expect(response?.headers.get("cache-control")).toBe("no-cache");
    expect(await response?.text()).toContain('src="/admin/main-1.js"');
  }
});

test("nothing that is served in the page can end its script", async () => {
  expect(await get("/admin/")?.text()).toContain('"api":"/api/\\u003c/script>"');
});

test("files are kept for ever, packed for those who can unpack", async () => {
  const packed = get("/admin/main-1.js", { headers: { "accept-encoding": "gzip, br" } });
  expect(packed?.headers.get("content-encoding")).toBe("gzip");
  expect(packed?.headers.get("cache-control")).toContain("immutable");
  const plain = get("/admin/main-1.js");
  expect(plain?.headers.get("content-encoding")).toBeNull();
  expect(await plain?.text()).toBe("let a = 1;");
});

test("other paths are not the panel's, nor is any while it is off", () => {
  expect(get("/")).toBeUndefined();
  expect(get("/administrator")).toBeUndefined();
  path = undefined;
  expect(get("/admin/")).toBeUndefined();
  path = "/hidden/place";
  expect(get("/admin/")).toBeUndefined();
  expect(get("/hidden/place/")?.status).toBe(200);
  path = "/admin";
});

test("only reading is answered", () => {
  expect(get("/admin/", { method: "POST" })?.status).toBe(405);
});

test("a build without a panel says so", () => {
  const panel = new Panel({
    path: () => "/admin",
    apiPath: () => "/api/admin",
    language: () => "en",
    directory: "/nowhere",
  });
  expect(panel.answer(new Request("http://relay.test/admin/"))?.status).toBe(503);
});
