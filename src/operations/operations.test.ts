/** How operations are called, whatever they do: input checked, rights held, changes in turn, and noted without people. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { faultOf, House } from "./accounts.test-help.ts";
import { operatorOn } from "./operations.test-help.ts";

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.dispose());

const reader = () => operatorOn({ ...partsOf(house), scope: "read" });

function partsOf({ config, clock, db, state, store }: House) {
  return { config, clock, db, state, store };
}

test("who may only look changes nothing", async () => {
  expect((await reader().call("accounts.list", {})).total).toBe(0);
  expect(await faultOf(reader().call("accounts.create", { user: "alice" }))).toStartWith("refused: ");
  expect(await faultOf(reader().call("accounts.export", {}))).toStartWith("refused: ");
  expect(house.state.accounts.size).toBe(0);
});

test("who may only look sees no secrets", async () => {
  const { settings } = await reader().call("settings.list", {});
  const secret = settings.find(({ name }) => name === "turn_secret");
  expect([null, ""]).toContain(secret?.value ?? null);
  expect(await faultOf(reader().call("settings.list", { secrets: true }))).toContain("not at secrets");
  expect(await faultOf(reader().call("settings.get", { name: "turn_secret" }))).toContain("not at secrets");
  expect(await faultOf(reader().call("settings.get", { name: "language" }))).toBe("done");
  expect(await faultOf(reader().call("proxy.profiles", {}))).toContain("not at secrets");
});

test("changes are noted with their outcome, without whom they were about; looking is not", async () => {
  await house.operator.call("accounts.create", { user: "alice", password: "password-1" });
  await faultOf(house.operator.call("accounts.create", { user: "alice" }));
  await house.operator.call("accounts.list", {});
  const { events } = await house.operator.call("audit.list", {});
  expect(events.map(({ operation, face, done }) => [operation, face, done])).toEqual([
    ["accounts.create", "cli", false],
    ["accounts.create", "cli", true],
  ]);
  expect(JSON.stringify(events)).not.toContain("alice");
  expect(JSON.stringify(house.events)).not.toContain("alice");
});

test("two who change the same at once do it one after the other", async () => {
  const made = await Promise.all(
    Array.from({ length: 5 }, () => faultOf(house.operator.call("accounts.create", { user: "alice" }))),
  );
  expect(made.filter((each) => each === "done")).toHaveLength(1);
  expect(made.filter((each) => each.startsWith("conflict: "))).toHaveLength(4);
});

test("input that makes no sense is told field by field, and nothing is done", async () => {
  const fault = await faultOf(house.operator.call("quota.set", { user: "alice", bytes: -5 }));
  expect(fault).toContain("invalid: ");
  expect(fault).toContain("bytes");
});
