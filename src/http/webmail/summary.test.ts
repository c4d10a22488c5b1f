import { expect, test } from "bun:test";
import { fromUtf8 } from "../../core/bytes.ts";
import { envelopeHolds, webEnvelope } from "./summary.ts";

const ARRIVED_MS = Date.UTC(2026, 7, 21, 10);
const arrived = "2026-08-21T10:00:00.000Z";

const rows: [name: string, header: string, want: object][] = [
  ["an empty header", "", { date: arrived, subject: "" }],
  [
    "names and subjects in encoded-words",
    "Subject: =?utf-8?q?Caf=C3=A9?=\r\nFrom: =?utf-8?b?w4VzYQ==?= <asa@x.test>\r\n",
    { date: arrived, subject: "Café", from: [{ name: "Åsa", mailbox: "asa", host: "x.test" }] },
  ],
  ["UTF-8 as it stands", "Subject: Grüße\r\n", { date: arrived, subject: "Grüße" }],
  [
    "groups, which are no addresses",
    'To: "hidden-recipients": ;\r\nCc: team: a@x.test, <b@x.test>;\r\n',
    {
      date: arrived,
      subject: "",
      cc: [
        { mailbox: "a", host: "x.test" },
        { mailbox: "b", host: "x.test" },
      ],
    },
  ],
  [
    "dates with zones and comments",
    "Date: Fri, 21 Aug 2026 12:30:00 +0200 (CEST)\r\n",
    { date: "2026-08-21T10:30:00.000Z", subject: "" },
  ],
  ["dates that are none", "Date: yesterday\r\n", { date: arrived, subject: "" }],
  [
    "ids",
    "Message-ID: <1@x.test>\r\nIn-Reply-To: <0@x.test>\r\n",
    { date: arrived, subject: "", message_id: "<1@x.test>", in_reply_to: "<0@x.test>" },
  ],
];
for (const [name, header, want] of rows) {
  test(`an envelope shows ${name}`, () => {
    expect(webEnvelope(fromUtf8(header), ARRIVED_MS)).toEqual(want as never);
  });
}

test("a search looks at subject, sender and recipients, not at copies", () => {
  const envelope = webEnvelope(
    fromUtf8("Subject: Lunch\r\nFrom: Al <al@x.test>\r\nTo: <bo@y.test>\r\nCc: <cy@z.test>\r\n"),
    ARRIVED_MS,
  );
  const found = ["lunch", "al@x", "bo@y.test", "cy@z"].map((wanted) => envelopeHolds(envelope, wanted));
  expect(found).toEqual([true, true, true, false]);
});
