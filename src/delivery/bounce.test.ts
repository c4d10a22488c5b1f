import { expect, test } from "bun:test";
import { parseAddress, parseDomain } from "../core/address.ts";
import { concat, fromLatin1, toLatin1 } from "../core/bytes.ts";
import { admit } from "../policy/admit.ts";
import { createMessageScanner } from "../pgp/scanner.ts";
import { type BounceReport, composeBounce } from "./bounce.ts";

function bounce(over: Partial<BounceReport> = {}): string {
  const domain = parseDomain("relay.test");
  const to = parseAddress("alice@relay.test");
  const recipient = parseAddress("gone@relay.test");
  if (domain === undefined || to === undefined || recipient === undefined) throw new Error("fixture");
  const message = composeBounce({
    domain,
    to,
    failures: [{ recipient, why: "recipientUnknown" }],
    originalHeader: fromLatin1(
      "From: <alice@relay.test>\r\nMessage-ID: <m1@localhost>\r\nSubject: s\r\n\r\n",
    ),
    nowMs: Date.UTC(2026, 7, 9, 5, 6, 7),
    id: "0a-b",
    ...over,
  });
  expect(toLatin1(message.header)).toEndWith("\r\n\r\n");
  return toLatin1(concat([message.header, message.body]));
}

test("a report is, to the letter, what clients and peers' filters know", () => {
  expect(bounce()).toBe(
    [
      "From: Mail Delivery System <MAILER-DAEMON@relay.test>",
      "To: <alice@relay.test>",
      "Subject: Undelivered Mail Returned to Sender",
      "Date: Sun, 09 Aug 2026 05:06:07 +0000",
      "Message-ID: <0a-b@relay.test>",
      "Auto-Submitted: auto-replied",
      "MIME-Version: 1.0",
      'Content-Type: multipart/report; report-type=delivery-status; boundary="report-0a-b"',
      "",
      "--report-0a-b",
      "Content-Type: text/plain; charset=utf-8",
      "Content-Transfer-Encoding: 8bit",
      "",
      "This is the mail relay at relay.test.",
      "",
      "Your message could not be delivered to:",
      "",
      "<gone@relay.test>: 550 5.1.1 No such mailbox here",
      "",
      "--report-0a-b",
      "Content-Type: message/delivery-status",
      "",
      "Reporting-MTA: dns; relay.test",
      "",
      "Final-Recipient: rfc822; gone@relay.test",
      "Action: failed",
      "Status: 5.1.1",
      "Diagnostic-Code: smtp; 550 5.1.1 No such mailbox here",
      "",
      "--report-0a-b",
      "Content-Type: text/rfc822-headers",
      "",
      "Message-ID: <m1@localhost>",
      "",
      "--report-0a-b--",
      "",
    ].join("\r\n"),
  );
});

test("a report names every failed recipient with its own reason", () => {
  const failures = (["gone", "full"] as const).flatMap((name) => {
    const recipient = parseAddress(`${name}@relay.test`);
    const why = name === "gone" ? ("recipientUnknown" as const) : ("mailboxFull" as const);
    return recipient === undefined ? [] : [{ recipient, why }];
  });
  const text = bounce({ failures });
  expect([...text.matchAll(/^Final-Recipient: rfc822; (.*)\r$/gm)].map((m) => m[1])).toEqual([
    "gone@relay.test",
    "full@relay.test",
  ]);
  expect([...text.matchAll(/^Status: (.*)\r$/gm)].map((m) => m[1])).toEqual(["5.1.1", "5.2.2"]);
});

test("an IP relay speaks with its brackets", () => {
  const domain = parseDomain("192.0.2.1");
  if (domain === undefined) throw new Error("fixture");
  const text = bounce({ domain });
  expect(text).toContain("MAILER-DAEMON@[192.0.2.1]>\r\n");
  expect(text).toContain("Reporting-MTA: dns; [192.0.2.1]\r\n");
});

const idRows: readonly [name: string, header: string, want: string | undefined][] = [
  ["a plain one", "Message-ID: <a@b>\r\n\r\n", "<a@b>"],
  ["any case", "MESSAGE-Id:<a@b>\r\n\r\n", "<a@b>"],
  ["a folded one", "Message-ID:\r\n <a@b>\r\nX: y\r\n\r\n", "<a@b>"],
  ["none", "X-Message-ID: <a@b>\r\n\r\n", undefined],
  ["two tokens", "Message-ID: <a@b> <c@d>\r\n\r\n", undefined],
  ["eight-bit", "Message-ID: <\xe4@b>\r\n\r\n", undefined],
  ["too long a one", `Message-ID: <${"a".repeat(1000)}@b>\r\n\r\n`, undefined],
];
for (const [name, header, want] of idRows) {
  test(`the original's Message-ID: ${name}`, () => {
    const text = bounce({ originalHeader: fromLatin1(header) });
    const part = text.slice(text.indexOf("text/rfc822-headers"));
    expect(/^Message-ID: (.*)\r$/m.exec(part)?.[1]).toBe(want);
    expect(part).toEndWith("\r\n--report-0a-b--\r\n");
  });
}

test("a relay like this one takes the report as a bounce from outside", () => {
  const bytes = fromLatin1(bounce());
  const scanner = createMessageScanner();
  scanner.write(bytes);
  const message = scanner.end();
  expect(message.received).toEqual({ kind: "bounce" });
  const facts = {
    bytes: bytes.length,
    bytesMax: 1_000_000,
    message,
    isLocal: () => false,
    origin: "signed",
  } as const;
  expect(admit(facts, { via: "smtp", login: null, sender: null })).toEqual({ do: "accept" });
});

test("what another server said is told in its words, with a status code even where it gave none", () => {
  const recipient = parseAddress("gone@peer.test");
  if (recipient === undefined) throw new Error("fixture");
  const text = bounce({
    failures: [{ recipient, reply: { code: 550, enhanced: "", text: "Who is that?" } }],
  });
  expect(text).toContain("<gone@peer.test>: 550 5.0.0 Who is that?\r\n");
  expect(text).toContain("\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; 550 5.0.0 Who is that?\r\n");
});
