import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPanel } from "./panel.ts";

/** Every page in every language. */
const PANEL_MAX_GZIP_BYTES = 120_000;
/** What is there before any page: frame, login, English. */
const ENTRY_MAX_GZIP_BYTES = 40_000;
const outdir = mkdtempSync(join(tmpdir(), "madmail-panel-"));

afterAll(() => rmSync(outdir, { recursive: true, force: true }));

test("the panel's scripts stay within their budget", async () => {
  const { gzipBytes, entryGzipBytes } = await buildPanel(outdir);
  expect(gzipBytes).toBeGreaterThan(0);
  expect(gzipBytes).toBeLessThan(PANEL_MAX_GZIP_BYTES);
  expect(entryGzipBytes).toBeGreaterThan(0);
  expect(entryGzipBytes).toBeLessThan(ENTRY_MAX_GZIP_BYTES);
});
