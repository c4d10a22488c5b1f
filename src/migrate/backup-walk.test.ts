import { afterAll, expect, test } from "bun:test";
import { existsSync, linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { walkState } from "./backup-walk.ts";

const root = mkdtempSync(join(tmpdir(), "madmail-walk-"));
afterAll(() => rmSync(root, { recursive: true }));

function write(path: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), "x");
}

const inbox = "mail/a@r.test/Maildir";

test("renames, moves and unlinks in mid-walk lose nothing and double nothing", async () => {
  mkdirSync(join(root, inbox, "cur"), { recursive: true });
  const names = ["1", "2", "3", "4"];
  for (const name of names) write(`${inbox}/new/${name},U=${name}`);
  for (const name of ["6", "7"]) write(`${inbox}/.Folder/cur/${name},U=${name}:2,`);
  for (const path of [
    "spool/s",
    "madmail.lock",
    "madmail.db-wal",
    "mail/.removed/x",
    "mail/.madmail-clean",
    "x.part",
    `${inbox}/tmp/t`,
  ])
    write(path);
  for (const path of [
    "dkim/keys.json",
    "queue/a.mail",
    `${inbox}/madmail-uid`,
    `${inbox}/.Folder/madmail-uid`,
  ])
    write(path);
  const taken: string[] = [];
  const move = (from: string, to: string) => renameSync(join(root, inbox, from), join(root, inbox, to));
  const events: Record<string, () => void> = {
    // Listed already, renamed before its turn; then one moves behind the walker, and one is gone.
    "1,U=1": () => move("new/2,U=2", "cur/2,U=2:2,S"),
    "3,U=3": () => rmSync(join(root, inbox, "new/4,U=4")),
    "6,U=6:2,": () => move(".Folder/cur/7,U=7:2,", "cur/8,U=8:2,"),
  };
  await walkState(root, async ({ path, file }) => {
    const found = existsSync(file);
    if (found) taken.push(path);
    const name = path.split("/").at(-1) ?? "";
    events[name]?.();
    delete events[name];
    return Promise.resolve(found);
  });
  expect(taken.sort()).toEqual(
    [
      "dkim/keys.json",
      "queue/a.mail",
      `${inbox}/madmail-uid`,
      `${inbox}/.Folder/madmail-uid`,
      `${inbox}/.Folder/cur/6,U=6:2,`,
      `${inbox}/new/1,U=1`,
      `${inbox}/cur/2,U=2:2,S`,
      `${inbox}/new/3,U=3`,
      `${inbox}/cur/8,U=8:2,`,
    ].sort(),
  );
});

test("a message that moves on to where the walk comes later is there once, a copy of it twice", async () => {
  const box = "mail/b@r.test/Maildir";
  for (const name of ["1", "2"]) write(`${box}/cur/${name},U=${name}:2,`);
  mkdirSync(join(root, box, ".Folder", "cur"), { recursive: true });
  const taken: string[] = [];
  await walkState(root, ({ path, file }) => {
    if (!path.startsWith(box)) return Promise.resolve(true);
    const found = existsSync(file);
    if (found) taken.push(path.slice(box.length + 1));
    const target = join(root, box, ".Folder", "cur");
    if (path.endsWith("cur/1,U=1:2,")) renameSync(file, join(target, "11,U=11:2,"));
    if (path.endsWith("Maildir/cur/2,U=2:2,")) linkSync(file, join(target, "12,U=12:2,"));
    return Promise.resolve(found);
  });
  expect(taken.sort()).toEqual([".Folder/cur/12,U=12:2,", "cur/1,U=1:2,", "cur/2,U=2:2,"]);
});
