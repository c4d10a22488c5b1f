/**
 * STARTTLS injection (CVE-2011-0411, NO STARTTLS attack): whatever stands behind the command in the plain stream is
 * never heard, neither before nor after the handshake, nor does what was said in clear count after it.
 * RFC 3207 §4.2, §6; RFC 9051 §6.2.1, §11.1.
 */
import { expect, test } from "bun:test";
import { fromLatin1, toLatin1 } from "../../src/core/bytes.ts";
import { FakePeer, FakeWorld, MANY, settle } from "../../src/imap/fake-peer.test-help.ts";
import { SmtpTalkTarget } from "./smtp/target.ts";

/** Sent in one piece with STARTTLS; then, behind the handshake, the second. */
const smtp: readonly [name: string, plain: string, secure: string, answer: RegExp][] = [
  ["a whole command", "NOOP\r\n", "NOOP\r\n", /^250 [^\r]*\r\n$/],
  ["a command without its end", "MAIL FROM:<evil@remote.test>", "NOOP\r\n", /^250 [^\r]*\r\n$/],
  ["a CR alone", "NOOP\r", "\nNOOP\r\n", /^500 [^\r]*\r\n(?:250 [^\r]*\r\n)?$/],
  [
    "a transaction",
    "EHLO e\r\nMAIL FROM:<evil@remote.test>\r\nRCPT TO:<b@relay.test>\r\nDATA\r\n",
    "x\r\n.\r\n",
    /^50\d /,
  ],
  ["a login", "AUTH PLAIN AGFsaWNlQHJlbGF5LnRlc3QAc2VjcmV0\r\n", "MAIL FROM:<alice@relay.test>\r\n", /^503 /],
  ["an AUTH that awaits a line", "AUTH PLAIN\r\n", "AGFsaWNlQHJlbGF5LnRlc3QAc2VjcmV0\r\n", /^500 /],
  ["an over-long line", "x".repeat(5000), "NOOP\r\n", /^250 /],
  ["a chunk", "BDAT 10 LAST\r\nabc", "NOOP\r\n", /^250 /],
  ["a second STARTTLS", "STARTTLS\r\n", "NOOP\r\n", /^250 /],
  ["NULs", "\0\0\0", "NOOP\r\n", /^250 /],
];

for (const [name, plain, secure, answer] of smtp) {
  test(`SMTP: behind STARTTLS ${name} is not heard`, async () => {
    const target = new SmtpTalkTarget([
      { name: "mode", args: ["submission"] },
      { name: "user", args: ["alice@relay.test", "secret"] },
    ]);
    target.send(fromLatin1("EHLO x\r\n"));
    await target.settle();
    const before = target.output().length;
    target.send(fromLatin1(`STARTTLS\r\n${plain}`));
    await target.settle();
    expect(toLatin1(target.output().subarray(before))).toBe("220 2.0.0 Ready to start TLS\r\n");
    target.secure();
    const afterHandshake = target.output().length;
    target.send(fromLatin1(secure));
    await target.settle();
    expect(toLatin1(target.output().subarray(afterHandshake))).toMatch(answer);
    expect(target.door.taken).toEqual([]);
    target.dispose();
  });
}

test("SMTP: what was said before STARTTLS does not count after it", async () => {
  const target = new SmtpTalkTarget([]);
  target.send(fromLatin1("EHLO x\r\nMAIL FROM:<a@remote.test>\r\nRCPT TO:<b@relay.test>\r\n"));
  await target.settle();
  target.send(fromLatin1("RSET\r\nSTARTTLS\r\n"));
  await target.settle();
  target.secure();
  const before = target.output().length;
  for (const command of ["MAIL FROM:<a@remote.test>", "RCPT TO:<b@relay.test>", "DATA"]) {
    target.send(fromLatin1(`${command}\r\n`));
    await target.settle();
  }
  expect(toLatin1(target.output().subarray(before))).toMatch(/^(?:503 [^\r]*\r\n){3}$/);
  target.dispose();
});

const imap: readonly [name: string, plain: string, secure: string, answer: RegExp][] = [
  ["a whole command", "b NOOP\r\n", "c NOOP\r\n", /^c OK [^\r]*\r\n$/],
  ["a command without its end", "b LOGOUT", "c NOOP\r\n", /^c OK /],
  ["a login", `b LOGIN ${MANY} secret\r\n`, "c SELECT INBOX\r\n", /^c BAD Log in first\r\n$/],
  ["a login with half a literal", "b LOGIN {20+}\r\nma", "c NOOP\r\n", /^c OK /],
  ["a literal that is awaited", "b LOGIN {5}\r\n", "c NOOP\r\n", /^c OK /],
  ["an AUTHENTICATE that awaits a line", "b AUTHENTICATE PLAIN\r\n", "c NOOP\r\n", /^c OK /],
  ["a second STARTTLS", "b STARTTLS\r\n", "c NOOP\r\n", /^c OK /],
  ["an over-long line", "x".repeat(9000), "c NOOP\r\n", /^c OK /],
  ["NULs", "\0\0\0", "c NOOP\r\n", /^c OK /],
];

for (const [name, plain, secure, answer] of imap) {
  test(`IMAP: behind STARTTLS ${name} is not heard`, async () => {
    const peer = new FakePeer(new FakeWorld(), { secure: false });
    peer.heard();
    peer.send(fromLatin1(`a STARTTLS\r\n${plain}`));
    await settle();
    expect(peer.heard()).toMatch(/^a OK [^\r]*\r\n$/);
    peer.secureNow();
    peer.send(fromLatin1(secure));
    await settle();
    expect(peer.heard()).toMatch(answer);
    peer.destroy();
  });
}

test("IMAP: no login in clear, whatever it is", async () => {
  const peer = new FakePeer(new FakeWorld(), { secure: false });
  peer.heard();
  expect(await peer.say(`a LOGIN ${MANY} secret`)).toMatch(/^a NO \[PRIVACYREQUIRED\]/);
  expect(await peer.say("b AUTHENTICATE PLAIN AG1hbnkAc2VjcmV0")).toMatch(/^b NO \[PRIVACYREQUIRED\]/);
  peer.destroy();
});
