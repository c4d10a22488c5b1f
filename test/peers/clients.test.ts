/** Mail programs that are not ours against the compiled relay: swaks, curl, openssl, nodemailer. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createTransport } from "nodemailer";
import { ImapClient } from "../support/imap-client.ts";
import { pgpMessage } from "../support/pgp-mail.ts";
import { Relay } from "../support/relay.ts";
import { isMissing, isSwaksMissing, runTool } from "../support/tools.ts";

const PASSWORD = "correct-horse-battery";
const dir = mkdtempSync(join(tmpdir(), "madmail-peers-"));
let relay: Relay;
let alice: string;
let bob: string;

beforeAll(async () => {
  relay = await Relay.start({ name: "peers" });
  alice = relay.address("alicepeer");
  bob = relay.address("bobbypeer");
  for (const user of [alice, bob]) (await logIn(user)).close();
});

afterAll(async () => {
  await relay?.dispose();
  rmSync(dir, { recursive: true, force: true });
});

describe.skipIf(isSwaksMissing())("swaks (needs the packages swaks and libnet-ssleay-perl)", () => {
  const login = (user: string, how: string) => [
    ...["--auth", how, "--auth-user", user, "--auth-password", PASSWORD],
  ];
  const swaks = (port: number, ...more: string[]) =>
    runTool(["swaks", "--server", "127.0.0.1", "--port", String(port), "--ehlo", "[127.0.0.1]", ...more]);

  for (const [name, listener, tls, auth] of [
    ["STARTTLS on 587 with AUTH PLAIN", "submission", "--tls", "PLAIN"],
    ["STARTTLS on 587 with AUTH LOGIN", "submission", "--tls", "LOGIN"],
    ["TLS on 465 with AUTH PLAIN", "submissions", "--tls-on-connect", "PLAIN"],
    ["TLS on 465 with AUTH LOGIN", "submissions", "--tls-on-connect", "LOGIN"],
  ] as const) {
    test(`swaks sends over ${name}, and the mail arrives unchanged`, async () => {
      const messageId = `${listener}-${auth}@localhost`;
      const { path, text } = await messageFile(alice, messageId);
      const envelope = ["--from", alice, "--to", bob, "--data", `@${path}`];
      const result = await swaks(relay.ports[listener], tls, ...login(alice, auth), ...envelope);
      expect(result).toMatchObject({ code: 0 });
      // Swaks adds a line end of its own.
      expect(await bodyOf(bob, messageId)).toBe(`${text.slice(text.indexOf("\r\n\r\n"))}\r\n`);
    });
  }

  test("swaks is told 523 for a message in plain text", async () => {
    const result = await swaks(
      relay.ports.submissions,
      "--tls-on-connect",
      ...login(alice, "PLAIN"),
      ...["--from", alice, "--to", bob, "--h-From", `<${alice}>`, "--body", "in clear"],
    );
    expect(result.code).not.toBe(0);
    expect(result.output).toMatch(/523 .*Encryption Needed: Invalid Unencrypted Mail/);
  });

  test("swaks is refused with a forged From", async () => {
    const { path } = await messageFile(bob, "forged@localhost");
    const envelope = ["--from", alice, "--to", bob, "--data", `@${path}`];
    const header = await swaks(
      relay.ports.submissions,
      "--tls-on-connect",
      ...login(alice, "PLAIN"),
      ...envelope,
    );
    expect(header.output).toMatch(/<[~*]\* 500 /);
    const forged = ["--from", bob, "--to", bob, "--data", `@${path}`];
    const sender = await swaks(
      relay.ports.submissions,
      "--tls-on-connect",
      ...login(alice, "PLAIN"),
      ...forged,
    );
    expect(sender.output).toMatch(/<[~*]\* 553 /);
    expect(await bodyOf(bob, "forged@localhost")).toBeUndefined();
  });

  test("submission wants TLS before AUTH, and AUTH before mail", async () => {
    const plain = await swaks(relay.ports.submission, ...login(alice, "PLAIN"), "--quit-after", "AUTH");
    expect(plain.code).not.toBe(0);
    expect(plain.output).not.toMatch(/ -> AUTH/);
    const { path } = await messageFile(alice, "noauth@localhost");
    const envelope = ["--from", alice, "--to", bob, "--data", `@${path}`];
    const anonymous = await swaks(relay.ports.submission, "--tls", ...envelope);
    expect(anonymous.output).toMatch(/<[~*]\* 5(30|54) /);
  });
});

describe.skipIf(isSwaksMissing())("swaks on port 25", () => {
  const swaks = (...more: string[]) =>
    runTool([
      ...["swaks", "--server", "127.0.0.1", "--port", String(relay.ports.smtp), "--ehlo", "mx.remote.test"],
      ...["--from", "someone@remote.test", "--to", bob, "--quit-after", "RCPT", ...more],
    ]);

  test("mail in clear is told to start TLS, and may go on then", async () => {
    const clear = await swaks();
    expect(clear.code).not.toBe(0);
    expect(clear.output).toMatch(/<\*\* 530 5\.7\.0 Must issue a STARTTLS command first/);
    expect((await swaks("--tls")).code).toBe(0);
  });

  test("names that exist and names that do not look alike", async () => {
    const answers = async (to: string) =>
      (await swaks("--tls", "--to", to)).output
        .split("\n")
        .filter((line) => line.startsWith("<~") && line.includes("2.1.5"));
    const known = await answers(bob);
    expect(known).toHaveLength(1);
    expect(await answers(`nobody@${relay.domain}`)).toEqual(known);
    expect((await swaks("--tls", "--to", "x@elsewhere.test")).output).toMatch(/550 5\.7\.1 Relaying denied/);
  });
});

describe.skipIf(isMissing("curl"))("curl (needs the package curl)", () => {
  const curl = (...args: string[]) => runTool(["curl", "-sS", "-k", "--max-time", "20", ...args]);

  test("curl sends by smtps and smtp with STARTTLS, and reads by imaps and imap with STARTTLS", async () => {
    const carol = relay.address("carolpeer");
    for (const [index, [smtp, imap]] of [
      [[`smtps://127.0.0.1:${relay.ports.submissions}`], [`imaps://127.0.0.1:${relay.ports.imaps}`]],
      [
        ["--ssl-reqd", `smtp://127.0.0.1:${relay.ports.submission}`],
        ["--ssl-reqd", `imap://127.0.0.1:${relay.ports.imap}`],
      ],
    ].entries()) {
      if (smtp === undefined || imap === undefined) throw new Error("two protocols");
      const { path, text } = await messageFile(carol, `curl-${index}@localhost`);
      const credentials = ["-u", `${carol}:${PASSWORD}`];
      const sent = await curl(
        ...smtp,
        ...credentials,
        "--mail-from",
        carol,
        "--mail-rcpt",
        carol,
        "-T",
        path,
      );
      expect(sent).toEqual({ code: 0, output: "" });
      const base = imap.at(-1) ?? "";
      const url = `${base}/INBOX;UID=${index + 1}`;
      const got = await curl(...imap.slice(0, -1), url, ...credentials);
      expect(got.code).toBe(0);
      expect(got.output.slice(got.output.indexOf("\r\n\r\n"))).toBe(text.slice(text.indexOf("\r\n\r\n")));
      const listed = await curl(...imap.slice(0, -1), base, ...credentials);
      expect(listed.output).toContain("INBOX");
    }
  });

  test("curl makes an account with POST /new, over http and https, and it can log in", async () => {
    for (const base of [`http://127.0.0.1:${relay.ports.http}`, `https://127.0.0.1:${relay.ports.https}`]) {
      const { output } = await curl("-X", "POST", `${base}/new`);
      const account = JSON.parse(output) as { email: string; password: string };
      expect(account.email).toEndWith(`@${relay.domain}`);
      expect(account.password.length).toBeGreaterThan(8);
      relay.address(account.email.split("@")[0] ?? "");
      (await logIn(account.email, account.password)).close();
    }
  });

  test("curl sees the front page, and autoconfig names the servers", async () => {
    const page = await curl(
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      `https://127.0.0.1:${relay.ports.https}/`,
    );
    expect(page.output).toBe("200");
    const path = "/.well-known/autoconfig/mail/config-v1.1.xml";
    const { output } = await curl(`https://127.0.0.1:${relay.ports.https}${path}`);
    for (const part of ['type="imap"', 'type="smtp"', "%EMAILADDRESS%", "SSL"])
      expect(output).toContain(part);
  });

  test("the core's absolute request line reaches /new", async () => {
    const { output } = await curl(
      "-X",
      "POST",
      "--request-target",
      "https://relay.test/new",
      `https://127.0.0.1:${relay.ports.https}/new`,
    );
    const account = JSON.parse(output) as { email: string };
    relay.address(account.email.split("@")[0] ?? "");
    expect(account.email).toEndWith(`@${relay.domain}`);
  });
});

describe.skipIf(isMissing("openssl"))("openssl s_client (needs the package openssl)", () => {
  const connect = (port: number, ...more: string[]) => [
    "openssl",
    "s_client",
    "-connect",
    `127.0.0.1:${port}`,
    ...more,
  ];
  const quit = { smtp: "EHLO [127.0.0.1]\r\nQUIT\r\n", imap: "a CAPABILITY\r\nb LOGOUT\r\n" };

  for (const version of ["-tls1_2", "-tls1_3"]) {
    for (const [name, listener, extra, input, wanted] of [
      ["smtp with STARTTLS", "submission", ["-starttls", "smtp"], quit.smtp, /250[ -]AUTH/],
      ["port 25 with STARTTLS", "smtp", ["-starttls", "smtp"], quit.smtp, /250[ -]SIZE/],
      ["smtps", "submissions", [], quit.smtp, /250[ -]AUTH/],
      ["imap with STARTTLS", "imap", ["-starttls", "imap"], quit.imap, /a OK/],
      ["imaps", "imaps", [], quit.imap, /a OK/],
      ["443 as imap", "https", ["-alpn", "imap"], quit.imap, /a OK/],
      ["443 as smtp", "https", ["-alpn", "smtp"], quit.smtp, /250[ -]AUTH/],
    ] as const) {
      test(`openssl speaks ${name} with ${version.slice(1)}`, async () => {
        const { output } = await runTool(connect(relay.ports[listener], ...extra, version, "-quiet"), {
          input,
        });
        expect(output).toMatch(wanted);
      });
    }
  }

  test("TLS 1.1 is refused", async () => {
    const { output } = await runTool(
      connect(relay.ports.imaps, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-brief"),
      { input: "" },
    );
    expect(output).toMatch(/alert|error/i);
    expect(output).not.toMatch(/Protocol version: TLSv1\.1/);
  });
});

describe("nodemailer", () => {
  test("nodemailer sends a raw message over TLS and over STARTTLS", async () => {
    for (const [port, secure] of [
      [relay.ports.submissions, true],
      [relay.ports.submission, false],
    ] as const) {
      const messageId = `nodemailer-${port}@localhost`;
      const raw = await pgpMessage({ from: alice, messageId });
      const transport = createTransport({
        host: "127.0.0.1",
        port,
        secure,
        requireTLS: !secure,
        auth: { user: alice, pass: PASSWORD },
        tls: { rejectUnauthorized: false },
      });
      await transport.sendMail({ envelope: { from: alice, to: [bob] }, raw });
      transport.close();
      const text = raw.toString("latin1");
      expect(await bodyOf(bob, messageId)).toBe(text.slice(text.indexOf("\r\n\r\n")));
    }
  });
});

test("a flag set in one session reaches another in IDLE", async () => {
  const messageId = "flagged@localhost";
  const owner = relay.address("flagpeer1");
  const [watching, acting] = await Promise.all([logIn(owner), logIn(owner)]);
  await acting.select();
  await watching.select();
  const data = await pgpMessage({ from: owner, messageId });
  acting.link.write(`x APPEND INBOX {${data.length}}\r\n`);
  expect((await acting.next()).text).toStartWith("+");
  acting.link.write(data);
  acting.link.write("\r\n");
  await acting.answer("x");
  const tag = await watching.idle();
  await acting.ok("NOOP");
  await acting.ok("UID STORE 1 +FLAGS (\\Seen)");
  for (;;) {
    const { text } = await watching.next();
    if (/^\* \d+ FETCH .*\\Seen/.test(text)) break;
  }
  await watching.done(tag);
  watching.close();
  acting.close();
});

test("nothing the relay printed names a user", () => {
  expect(relay.leaks()).toEqual([]);
});

async function logIn(user: string, password = PASSWORD): Promise<ImapClient> {
  const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
  const answer = await imap.login(user, password);
  if (answer.status !== "OK") throw new Error(`login: ${answer.status} ${answer.text}`);
  return imap;
}

async function messageFile(from: string, messageId: string): Promise<{ path: string; text: string }> {
  const path = join(dir, `${messageId}.eml`);
  const data = await pgpMessage({ from, messageId });
  writeFileSync(path, data);
  return { path, text: data.toString("latin1") };
}

/** The stored message from its blank line on, or undefined when there is none with this Message-ID. */
async function bodyOf(user: string, messageId: string): Promise<string | undefined> {
  const imap = await logIn(user);
  try {
    const ids = await imap.messageIds();
    const uid = [...ids].find(([, id]) => id === `<${messageId}>`)?.[0];
    if (uid === undefined) return undefined;
    const text = (await imap.fetch(String(uid)))[0]?.body?.toString("latin1") ?? "";
    return text.slice(text.indexOf("\r\n\r\n"));
  } finally {
    imap.close();
  }
}
