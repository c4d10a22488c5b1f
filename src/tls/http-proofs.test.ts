import { expect, test } from "bun:test";
import { HttpProofs } from "./http-proofs.ts";

const proof = (name: string, token = "token") =>
  ({ type: "http-01", name, token, value: `${token}.thumb` }) as const;

for (const [name, host, isFound] of [
  ["relay.example", "relay.example", true],
  ["relay.example", "Relay.EXAMPLE:80", true],
  ["relay.example", "relay.example.", true],
  ["relay.example", "mta-sts.relay.example", false],
  ["relay.example", "relay.example.evil.example", false],
  ["relay.example", "", false],
  ["192.0.2.1", "192.0.2.1", true],
  ["192.0.2.1", "192.0.2.1:5002", true],
  ["192.0.2.1", "192.0.2.2", false],
  ["2001:db8::1", "[2001:db8::1]", true],
  ["2001:db8::1", "[2001:DB8:0::1]:80", true],
  ["2001:db8::1", "[2001:db8::2]", false],
] as const) {
  test(`a proof for ${name} is ${isFound ? "" : "not "}for Host ${JSON.stringify(host)}`, async () => {
    const proofs = new HttpProofs();
    await proofs.show([proof(name)]);
    expect(proofs.answer(host, "token")).toBe(isFound ? "token.thumb" : undefined);
    expect(proofs.answer(host, "other")).toBe(undefined);
  });
}

test("a proof that was taken down is not there any more, others are", async () => {
  const proofs = new HttpProofs();
  await proofs.show([proof("a.example"), proof("b.example")]);
  await proofs.remove([proof("a.example")]);
  expect([proofs.answer("a.example", "token"), proofs.answer("b.example", "token")]).toEqual([
    undefined,
    "token.thumb",
  ]);
});
