import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CertificateFiles, durableSteps, type FileSteps, isPair } from "./certificate-files.ts";
import { makeCertificate, makeKey } from "./self-signed.ts";

const root = await mkdtemp(join(tmpdir(), "madmail-certs-"));
afterAll(() => rm(root, { recursive: true }));

const NOW_MS = 1_790_000_000_000;
const [oldKey, newKey] = [await makeKey(), await makeKey()];
const [oldChain, renewed, withNewKey] = await Promise.all([
  makeCertificate(["a.example"], oldKey, NOW_MS),
  makeCertificate(["a.example"], oldKey, NOW_MS + 1000),
  makeCertificate(["a.example"], newKey, NOW_MS + 1000),
]);

class PowerCut extends Error {}

/** Steps until the power goes: before the given one, or within it, when half of a file is written. */
function untilCut(cutAt: number, half: boolean): FileSteps {
  let done = 0;
  const powered = async (step: () => Promise<void>, within?: () => Promise<void>) => {
    if (done++ === cutAt) {
      if (half) await within?.();
      throw new PowerCut();
    }
    await step();
  };
  return {
    write: (file, text, mode) =>
      powered(
        () => durableSteps.write(file, text, mode),
        () => writeFile(`${file}.tmp`, text.slice(0, text.length / 2)),
      ),
    rename: (from, to) => powered(() => durableSteps.rename(from, to)),
    remove: (file) => powered(() => durableSteps.remove(file)),
  };
}

async function directory(): Promise<string> {
  const dir = await mkdtemp(join(root, "certs-"));
  const files = new CertificateFiles(dir);
  await files.recover();
  await writeFile(files.keyFile, oldKey);
  await writeFile(files.chainFile, oldChain);
  return dir;
}

const pairIn = async (dir: string) => {
  const files = new CertificateFiles(dir);
  return { key: await files.key(), chain: await readFile(files.chainFile, "utf8") };
};

/** Everything a renewal does to the directory. */
const changes = {
  "a renewal": (files: CertificateFiles) => files.install(renewed),
  "a new key": async (files: CertificateFiles) => {
    await files.stageKey(newKey);
    await files.install(withNewKey);
  },
};

describe("a power cut", () => {
  for (const [what, change] of Object.entries(changes)) {
    test(`at any step of ${what} leaves a pair that works, once it is recovered, however often that is cut`, async () => {
      const outcomes = new Set<string>();
      let finished = false;
      for (let cutAt = 0; !finished; cutAt++) {
        expect(cutAt).toBeLessThan(20);
        for (const half of [false, true]) {
          const dir = await directory();
          const cut = await change(new CertificateFiles(dir, untilCut(cutAt, half))).then(
            () => false,
            (error: unknown) => error instanceof PowerCut,
          );
          finished = !cut;
          // The recovery is cut, too.
          for (let again = 0; again < 4; again++) {
            await new CertificateFiles(dir, untilCut(again, half)).recover().catch(() => {});
          }
          await new CertificateFiles(dir).recover();
          const { key, chain } = await pairIn(dir);
          expect(isPair(key, chain)).toBe(true);
          outcomes.add(chain === oldChain ? "old" : "new");
          expect((await readdir(dir)).filter((file) => file.startsWith("next-"))).toEqual([]);
        }
      }
      expect(outcomes).toEqual(new Set(["old", "new"]));
    });
  }

  test("between key and chain is recovered with the new pair", async () => {
    const dir = await directory();
    const files = new CertificateFiles(dir);
    await files.stageKey(newKey);
    const cut = new CertificateFiles(dir, untilCut(2, false));
    expect(await cut.install(withNewKey).catch((error: unknown) => error)).toBeInstanceOf(PowerCut);
    const torn = await pairIn(dir);
    expect(isPair(torn.key, torn.chain)).toBe(false);
    await files.recover();
    expect(await pairIn(dir)).toEqual({ key: newKey, chain: withNewKey });
  });
});

describe("a certificate", () => {
  test("for another key is not installed", async () => {
    const dir = await directory();
    const problem = await new CertificateFiles(dir).install(withNewKey).catch(String);
    expect(problem).toContain("belongs to another key");
    expect(await pairIn(dir)).toEqual({ key: oldKey, chain: oldChain });
  });

  test("is kept where only its owner reads", async () => {
    const dir = await directory();
    await changes["a new key"](new CertificateFiles(dir));
    await new CertificateFiles(dir).writeNote("note.json", "{}");
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    for (const file of ["privkey.pem", "fullchain.pem", "note.json"]) {
      expect((await stat(join(dir, file))).mode & 0o777).toBe(0o600);
    }
  });
});
