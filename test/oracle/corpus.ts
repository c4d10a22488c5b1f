/**
 * What lies in the mailboxes that both servers show: some usual messages in clear, as another program may put them into
 * a Maildir, and odd ones whose MIME structure and addresses invite different readings.
 */
import { linkSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface CorpusMessage {
  text: string;
  /** Maildir letters, in order. */
  flags: string;
  /** INTERNALDATE, seconds since 1970. */
  arrived: number;
}

const FIRST_ARRIVAL = Date.UTC(2026, 1, 1, 8) / 1000;
/** Not a whole day, so that days and times differ. */
const ARRIVAL_STEP = 30_000;

/** Messages of an ordinary mailbox. */
export const mail: readonly CorpusMessage[] = dated([
  [
    "",
    "From: Alice <alice@relay.test>\nTo: bob@relay.test\nSubject: First light\nDate: Sun, 1 Feb 2026 09:00:00 +0100\nMessage-ID: <one@relay.test>\n\nGood morning.\n",
  ],
  [
    "S",
    'From: "Bob, the builder" <bob@relay.test>\nTo: Alice <alice@relay.test>, carol@other.test\nCc: dave@other.test\nSubject: Re: First light\nDate: Sun, 01 Feb 2026 12:30:00 +0000\nMessage-ID: <two@relay.test>\nIn-Reply-To: <one@relay.test>\nReferences: <one@relay.test>\n\nGood day.\n\nBob\n',
  ],
  [
    "FS",
    'From: carol@other.test\nSender: secretary@other.test\nReply-To: "Carol" <carol@home.test>\nTo: bob@relay.test\nBcc: erin@relay.test\nSubject: A table\nDate: Mon, 2 Feb 2026 23:59:59 -0800\nMessage-ID: <three@other.test>\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary="alt"\n\nPreamble.\n--alt\nContent-Type: text/plain; charset=utf-8; format=flowed\nContent-Transfer-Encoding: quoted-printable\n\nplain needle=20text\n--alt\nContent-Type: text/html; charset=utf-8\n\n<p>html text</p>\n--alt--\nEpilogue.\n',
  ],
  [
    "RS",
    'From: dave@other.test\nTo: undisclosed-recipients:;\nSubject: A picture\nDate: Tue, 3 Feb 2026 10:00:00 +0000\nMessage-ID: <four@other.test>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="mix ed"\n\n--mix ed\nContent-Type: text/plain\nContent-Language: en, de\n\nSee below.\n\n--mix ed\nContent-Type: image/png; name="a \\"b\\".png"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="a \\"b\\".png"; size=4\nContent-ID: <pic@other.test>\nContent-Description: a picture\nContent-Location: http://other.test/p.png\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\n\nAAAA\n--mix ed--\n',
  ],
  [
    "T",
    "From: erin@relay.test\nTo: bob@relay.test\nSubject: Forwarded\nDate: Wed, 4 Feb 2026 10:00:00 +0000\nMessage-ID: <five@relay.test>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=fwd\n\n--fwd\n\nnote\n--fwd\nContent-Type: message/rfc822\n\nFrom: inner@other.test\nTo: erin@relay.test\nSubject: Inside\nDate: Tue, 3 Feb 2026 08:00:00 +0000\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=in\n\n--in\nContent-Type: text/plain\n\ninner text\n--in\nContent-Type: application/pdf; name=x.pdf\n\n%PDF\n--in--\n\n--fwd--\n",
  ],
  [
    "",
    'From: =?utf-8?q?J=C3=BCrgen?= <j@other.test>\nTo: bob@relay.test\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\nDate: Thu, 5 Feb 2026 10:00:00 +0000\nMessage-ID: <six@other.test>\nChat-Version: 1.0\nX-Long: folded\n over\n\tlines\nContent-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="enc"\n\n--enc\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n--enc\nContent-Type: application/octet-stream; name=encrypted.asc\n\n-----BEGIN PGP MESSAGE-----\n\nwcBM\n-----END PGP MESSAGE-----\n--enc--\n',
  ],
  ["DS", "From: bob@relay.test\nSubject: A draft\n\n"],
  ["", "Subject: no date, no sender\n\nneedle in the body\n"],
  [
    "S",
    `From: frank@other.test\nTo: bob@relay.test\nSubject: Long\nDate: Fri, 6 Feb 2026 10:00:00 +0000\nMessage-ID: <nine@other.test>\n\n${"All work and no play. ".repeat(200)}\n`,
  ],
  [
    "FRST",
    "From: gina@other.test\nTo: bob@relay.test\nSubject: Everything\nDate: Sat, 7 Feb 2026 10:00:00 +0000\nMessage-ID: <ten@other.test>\n\nall flags\n",
  ],
]);

/** Gives them arrival times in order and CRLFs. */
export function dated(messages: readonly (readonly [flags: string, text: string])[]): CorpusMessage[] {
  return messages.map(([flags, text], i) => ({
    flags,
    text: text.replaceAll("\n", "\r\n"),
    arrived: FIRST_ARRIVAL + i * ARRIVAL_STEP,
  }));
}

/** Message files, written once and linked into every Maildir that shows them. */
export class Template {
  readonly #files: { path: string; name: string; part: "cur" | "new" }[];

  constructor(dir: string, messages: readonly CorpusMessage[]) {
    mkdirSync(dir, { recursive: true });
    this.#files = messages.map(({ text, flags, arrived }, i) => {
      const path = join(dir, String(i));
      writeFileSync(path, Buffer.from(text, "latin1"), { mode: 0o644 });
      utimesSync(path, arrived, arrived);
      const part = flags === "" ? "new" : "cur";
      return { path, part, name: `${arrived}.M${i}P1.oracle${flags === "" ? "" : `:2,${flags}`}` };
    });
  }

  /** Makes a Maildir, as a delivery program would. */
  fill(maildir: string): void {
    for (const part of ["cur", "new", "tmp"]) mkdirSync(join(maildir, part), { recursive: true });
    for (const { path, part, name } of this.#files) linkSync(path, join(maildir, part, name));
  }
}
