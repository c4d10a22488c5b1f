import { describe, expect, test } from "bun:test";
import { type Address, parseAddress } from "../core/address.ts";
import { fingerprintOf, makeIdentity } from "../openpgp/identity.ts";
import { sealLetter } from "../openpgp/letter.ts";
import { answerTo, isAutomatic } from "./conversation.ts";
import { fieldsOf, type Incoming, readIncoming } from "./incoming.ts";
import { invitationLink } from "./invitation.ts";
import type { Invitation } from "./own-key.ts";

const address = (text: string): Address => {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
};
const alice = await makeIdentity(address("alice@relay.test"));
const mallory = await makeIdentity(address("mallory@relay.test"));
const echo = await makeIdentity(address("echo@relay.test"));
const own: Invitation = {
  address: echo.address,
  fingerprint: fingerprintOf(echo.key),
  invitation: "invitation-number",
  auth: "auth-token-of-echo",
};
const heard = (fields: Record<string, string>, more: Partial<Incoming> = {}): Incoming => ({
  from: alice.address,
  key: alice.key.toPublic(),
  isEncrypted: true,
  fields: new Map(Object.entries(fields)),
  messageId: "<1@localhost>",
  text: "hello",
  files: [],
  ...more,
});
const proof = {
  "secure-join": "vc-request-with-auth",
  "secure-join-auth": own.auth,
  "secure-join-fingerprint": fingerprintOf(alice.key),
};

describe("answerTo()", () => {
  test("sends text back, marked as automatic, with a hint", () => {
    const answer = answerTo(heard({}), own, "relay.test");
    expect(answer?.text).toStartWith("hello\n\n(Echo of relay.test:");
    expect(answer?.fields).toEqual([["Auto-Submitted", "auto-generated"]]);
  });

  test("keeps the timer of a chat whose messages vanish, and nothing else that a stranger puts there", () => {
    expect(answerTo(heard({ "ephemeral-timer": "60" }), own, "r")?.fields).toContainEqual([
      "Ephemeral-Timer",
      "60",
    ]);
    expect(answerTo(heard({ "ephemeral-timer": "60\r\nX: y" }), own, "r")?.fields).toHaveLength(1);
  });

  test("names files instead of sending them back, and cuts long text", () => {
    expect(answerTo(heard({}, { text: "", files: ["cat.jpg"] }), own, "r")?.text).toStartWith("[cat.jpg]\n");
    const long = answerTo(heard({}, { text: "x".repeat(100_000) }), own, "r")?.text ?? "";
    expect(long.length).toBeLessThan(4200);
  });

  const silent: [why: string, Incoming][] = [
    ["a program's message", heard({ "auto-submitted": "auto-generated" })],
    ["a mailing list", heard({ "list-id": "<x>" })],
    ["a group", heard({ "chat-group-id": "abcdefghijk" })],
    ["a receipt", heard({ "content-type": 'multipart/report; report-type="disposition-notification"' })],
    ["a bounce", heard({ from: "<MAILER-DAEMON@relay.test>" })],
    ["a reaction", heard({ "content-disposition": "reaction" })],
    ["a deletion", heard({ "chat-delete": "<1@localhost>" })],
    ["a call", heard({ "chat-content": "call" })],
    ["an app's update", heard({}, { files: ["status-update.json"] })],
    ["nothing", heard({}, { text: "" })],
    ["clear text", heard({}, { isEncrypted: false })],
    ["an unknown step", heard({ "secure-join": "vg-request-with-auth" })],
    [
      "a wrong invitation",
      heard({ "secure-join": "vc-request", "secure-join-invitenumber": "x" }, { isEncrypted: false }),
    ],
    ["no invitation", heard({ "secure-join": "vc-request" }, { isEncrypted: false })],
    ["a wrong proof", heard({ ...proof, "secure-join-auth": "x" })],
    ["a proof with another's key", heard(proof, { key: mallory.key.toPublic() })],
    ["a proof in clear", heard(proof, { isEncrypted: false })],
  ];
  test.each(silent)("%s is met with silence", (_, incoming) => {
    expect(answerTo(incoming, own, "relay.test")).toBeUndefined();
  });

  test("its own answers are met with silence: two echoes do not talk without end", () => {
    const fields = answerTo(heard({}), own, "r")?.fields ?? [];
    const back = Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), value]));
    expect(isAutomatic(new Map(Object.entries(back)))).toBe(true);
    expect(answerTo(heard(back), own, "r")).toBeUndefined();
  });

  test("SecureJoin goes step by step", () => {
    const request = heard(
      { "secure-join": "vc-request", "secure-join-invitenumber": own.invitation },
      { isEncrypted: false },
    );
    expect(answerTo(request, own, "r")?.fields).toEqual([["Secure-Join", "vc-auth-required"]]);
    expect(answerTo(heard(proof), own, "r")?.fields).toEqual([["Secure-Join", "vc-contact-confirm"]]);
  });
});

describe("readIncoming()", () => {
  const sealed = (from: typeof alice) =>
    sealLetter({
      from,
      to: { address: echo.address, key: echo.key.toPublic() },
      id: "1",
      nowMs: 0,
      text: "grüße",
    });

  test("reads a letter with the key that it brings", async () => {
    const raw = await sealed(alice);
    const read = await readIncoming(raw, fieldsOf(raw), echo.key);
    expect(read).toMatchObject({
      from: alice.address,
      isEncrypted: true,
      text: "grüße",
      messageId: "<1@localhost>",
    });
    expect(read === undefined ? "" : fingerprintOf(read.key)).toBe(fingerprintOf(alice.key));
  });

  test("what claims to be from another than its signer is nothing", async () => {
    const forged = Buffer.from(await sealed(mallory))
      .toString("latin1")
      .replace("From: <mallory@", "From: <alice@");
    const raw = Buffer.from(forged, "latin1");
    expect(await readIncoming(raw, fieldsOf(raw), echo.key)).toBeUndefined();
  });

  test.each([
    [""],
    ["From: <a@b.test>\r\n\r\nhello"],
    ["From: a@b.test, c@d.test\r\nSecure-Join: vc-request\r\n\r\n"],
  ])("%p is nothing", async (text) => {
    const raw = Buffer.from(text);
    expect(await readIncoming(raw, fieldsOf(raw), echo.key)).toBeUndefined();
  });
});

test("the invitation is as Delta Chat writes it", () => {
  expect(invitationLink({ ...own, fingerprint: "AB12" }, "The Echo")).toBe(
    "https://i.delta.chat/#AB12&i=invitation-number&s=auth-token-of-echo&a=echo%40relay.test&n=The+Echo",
  );
});
