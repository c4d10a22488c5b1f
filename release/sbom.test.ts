/** The bill of materials says what is inside, and is the same for the same lock file. */
import { expect, test } from "bun:test";
import lock from "../package-lock.json";
import { billOfMaterials } from "./sbom.ts";

interface Bill {
  components: { "bom-ref": string; name: string; hashes?: unknown[] }[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

const text = billOfMaterials(lock, "1.4.5");
const bill = JSON.parse(text) as Bill;
const refs = new Set(bill.components.map((component) => component["bom-ref"]));

test("what the program is made of is in it, what only builds and tests it is not", () => {
  const names = bill.components.map(({ name }) => name);
  for (const name of ["bun", "hono", "zod", "drizzle-orm"]) expect(names).toContain(name);
  for (const name of ["typescript", "oxlint", "knip"]) expect(names).not.toContain(name);
});

test("every dependency that is named is a component", () => {
  const missing = bill.dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.has(ref));
  expect(missing).toEqual([]);
});

test("every component but the runtime has a hash, and no two have one reference", () => {
  expect(bill.components.filter(({ hashes }) => hashes === undefined).map(({ name }) => name)).toEqual([
    "bun",
  ]);
  expect(refs.size).toBe(bill.components.length);
});

test("the same lock file gives the same bytes", () => {
  expect(billOfMaterials(structuredClone(lock), "1.4.5")).toBe(text);
});
