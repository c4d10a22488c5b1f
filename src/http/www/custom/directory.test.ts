import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkDirectory, CustomDirectory } from "./directory.ts";

let root: string;
let dir: string;
let mistakes: string[];
let pages: CustomDirectory;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "madmail-www-"));
  dir = join(root, "www");
  mkdirSync(join(dir, "docs"), { recursive: true });
  writeFileSync(join(root, "secret.html"), "secret");
  writeFileSync(join(dir, "index.html"), "<h1>{{.MailDomain}}</h1>");
  writeFileSync(join(dir, "broken.html"), "one\n{{.Nope}}");
  writeFileSync(join(dir, "main.css"), "body { color: {{.red}} }");
  writeFileSync(join(dir, "docs/a.html"), "a");
  writeFileSync(join(dir, ".hidden.html"), "hidden");
  symlinkSync(join(root, "secret.html"), join(dir, "link.html"));
  mistakes = [];
  pages = new CustomDirectory(dir, (text) => mistakes.push(text));
});
afterAll(() => rmSync(root, { recursive: true }));

const find = async (path: string) => (await pages.find(path, () => ({ MailDomain: "relay.test" })))?.body;

for (const [path, want] of [
  ["/", "<h1>relay.test</h1>"],
  ["/index.html", "<h1>relay.test</h1>"],
  ["/docs/a", "a"],
  ["/docs/a.html", "a"],
] as const) {
  test(`${path} is the operator's page`, async () => {
    expect(await find(path)).toBe(want);
  });
}

test("files that are no pages are served as they are", async () => {
  const found = await pages.find("/main.css", () => ({}));
  expect(found?.type).toBe("text/css; charset=utf-8");
  expect(new TextDecoder().decode(found?.body as Uint8Array)).toBe("body { color: {{.red}} }");
});

for (const path of [
  "/../secret.html",
  "/%2e%2e/secret.html",
  "/docs/../../secret",
  "/link.html",
  "/.hidden.html",
  "//etc/passwd",
  "/docs",
  "/docs/",
  "/a\0b",
  `/${"a".repeat(600)}`,
  "/absent",
]) {
  test(`${JSON.stringify(path.slice(0, 20))} gives way to the built-in page`, async () => {
    expect(await find(path)).toBeUndefined();
  });
}

test("an edit shows at once", async () => {
  writeFileSync(join(dir, "live.html"), "one");
  expect(await find("/live")).toBe("one");
  writeFileSync(join(dir, "live.html"), "two {{.MailDomain}}");
  expect(await find("/live")).toBe("two relay.test");
});

test("a mistake is told once, with file and line, until it is another", async () => {
  mistakes.length = 0;
  expect(await find("/broken")).toBeUndefined();
  expect(await find("/broken")).toBeUndefined();
  expect(mistakes).toEqual([
    `${join(dir, "broken.html")}:2: there is no variable \`Nope\`; the built-in page is served instead`,
  ]);
  writeFileSync(join(dir, "broken.html"), "{{if}}");
  expect(await find("/broken")).toBeUndefined();
  expect(mistakes).toHaveLength(2);
});

test("checking a directory names errors and what will not work", async () => {
  const other = join(root, "check");
  mkdirSync(other);
  writeFileSync(
    join(other, "index.html"),
    '<script src="https://cdn.test/x.js"></script>\n{{if .Old}}x{{end}}\n{{.MailDomain}}',
  );
  writeFileSync(join(other, "bad.html"), "\n{{end}}");
  const findings = await checkDirectory(other, new Set(["MailDomain", "Old"]), ["Old"]);
  expect(findings.map(({ file, line, level }) => `${file}:${line} ${level}`)).toEqual([
    "bad.html:2 error",
    "index.html:1 warning",
    "index.html:2 warning",
  ]);
});
