import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockStateDirectory } from "./lock.ts";

test("a state directory belongs to one process at a time", () => {
  const dir = mkdtempSync(join(tmpdir(), "madmail-lock-"));
  try {
    const release = lockStateDirectory(dir);
    expect(() => lockStateDirectory(dir)).toThrow("in use by another madmail process");
    release();
    lockStateDirectory(dir)();
    expect(() => lockStateDirectory(join(dir, "absent"))).toThrow("cannot write");
  } finally {
    rmSync(dir, { recursive: true });
  }
});
