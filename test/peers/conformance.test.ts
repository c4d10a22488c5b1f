/** The online tests of chatmail relays (imaplib, smtplib), one row a case of conformance.py. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { pgpMessage } from "../support/pgp-mail.ts";
import { Relay } from "../support/relay.ts";
import { isMissing, runTool } from "../support/tools.ts";

const BURST = 10;
const QUOTA_BYTES = 300_000;
/** Every user that conformance.py makes. */
const USER_PREFIX = "pyuser";

const cases: readonly [name: string, what: string, relay?: "strict", messageBytes?: number][] = [
  ["capabilities_before_login", "IMAP shows XCHATMAIL and XDELTAPUSH before login"],
  ["imap_login", "a new user logs in by IMAP, again with the same password, never with another"],
  ["smtp_login", "a new user logs in by SMTP, again with the same password, never with another"],
  ["same_password_for_two", "two users may have the same password"],
  ["ten_logins_at_once", "ten first logins of one user at once all work, over IMAP and SMTP"],
  ["vrfy", "VRFY on port 25 says 252 to everything"],
  [
    "metadata_with_bare_lf",
    "SETMETADATA and GETMETADATA with bare LF, the value as a literal on its own line",
  ],
  ["unknown_metadata_is_no_error", "unknown metadata keys end in OK"],
  ["forged_from_header", "a forged From header is refused with 500 at the end of DATA"],
  ["mail_from_of_another", "MAIL FROM of another user is refused with 553 at RCPT"],
  ["plain_text", "plain text is refused with 523"],
  ["no_open_relay", "port 25 relays nothing"],
  ["remote_recipient_is_never_lost_silently", "without federation a remote recipient is refused, not lost"],
  ["delivered_mail_is_clean", "delivered mail carries no trace of its way, and no subject"],
  ["a_standard_clients_day", "LIST, CREATE, APPEND, SEARCH, COPY, MOVE, EXPUNGE, RENAME, DELETE"],
  ["sending_too_fast", "above the burst, 450 at RCPT with the words clients know", "strict"],
  ["quota_exceeded", "a full mailbox is refused with 552", "strict", 100_000],
];

describe.skipIf(isMissing("python3"))("imaplib and smtplib (need the package python3)", () => {
  const dir = mkdtempSync(join(tmpdir(), "madmail-py-"));
  const relays: { main?: Relay; strict?: Relay } = {};

  beforeAll(async () => {
    // Chatmail relays announce XDELTAPUSH. Nobody is told anything: nothing listens there.
    const push = { mode: "auto", endpoint: "http://127.0.0.1:9/notify" };
    relays.main = await Relay.start({ name: "python", config: { push, federation: { enabled: false } } });
    relays.strict = await Relay.start({
      name: "python-strict",
      config: {
        limits: { send_per_minute: 1, send_burst: BURST },
        accounts: { default_quota: QUOTA_BYTES },
      },
    });
  });

  afterAll(async () => {
    await relays.main?.dispose();
    await relays.strict?.dispose();
    rmSync(dir, { recursive: true, force: true });
  });

  for (const [name, what, which = "main", bytes = 5_000] of cases) {
    test(what, async () => {
      const relay = relays[which];
      if (relay === undefined) throw new Error("no relay");
      const file = join(dir, `${bytes}.eml`);
      writeFileSync(file, await pgpMessage({ from: "SENDER@PLACEHOLDER", messageId: "py@localhost", bytes }));
      const { code, output } = await runTool(["python3", join(import.meta.dir, "conformance.py"), name], {
        env: {
          RELAY: JSON.stringify({ domain: relay.domain, burst: BURST, ...relay.ports }),
          MESSAGE: file,
        },
      });
      expect(output).toBe("");
      expect(code).toBe(0);
    });
  }

  test("nothing the relays printed names a user", () => {
    expect(relays.main?.leaks([USER_PREFIX])).toEqual([]);
    expect(relays.strict?.leaks([USER_PREFIX])).toEqual([]);
  });
});
