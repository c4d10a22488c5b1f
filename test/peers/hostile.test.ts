/** Peers and operators that do it wrong: each gets an answer that says so, and the relay goes on serving others. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ImapClient } from "../support/imap-client.ts";
import { Link } from "../support/link.ts";
import { pgpMessage } from "../support/pgp-mail.ts";
import { Relay, runMadmail } from "../support/relay.ts";
import { SmtpClient } from "../support/smtp-client.ts";
import { runTool } from "../support/tools.ts";

const PASSWORD = "correct-horse-battery";
const MESSAGE_MAX_BYTES = 200_000;
/** Some are answered, some wait for more: what counts is what comes after. */
const ANSWER_WAIT_MS = 300;

describe("hostile peers", () => {
  let relay: Relay;
  let user: string;

  beforeAll(async () => {
    relay = await Relay.start({
      name: "hostile",
      config: { limits: { message_size: MESSAGE_MAX_BYTES, failed_logins_per_minute: 5 } },
    });
    user = relay.address("patientone");
    await stillServes();
  });

  afterAll(() => relay?.dispose());

  /** A whole round trip by someone who behaves. */
  async function stillServes(): Promise<void> {
    const smtp = await SmtpClient.open({ port: relay.ports.submissions, tls: true });
    expect((await smtp.auth(user, PASSWORD)).code).toBe(235);
    const messageId = `ping-${crypto.randomUUID()}@localhost`;
    const reply = await smtp.send(
      { from: user, to: [user] },
      await pgpMessage({ from: user, messageId, bytes: 2000 }),
    );
    expect(reply.code).toBe(250);
    await smtp.quit();
    const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    expect((await imap.login(user, PASSWORD)).status).toBe("OK");
    expect([...(await imap.messageIds()).values()]).toContain(`<${messageId}>`);
    imap.close();
  }

  for (const [name, listener, tls, bytes] of [
    ["a million bytes without a line end on 25", "smtp", false, "A".repeat(1_000_000)],
    ["a million bytes without a line end on 465", "submissions", true, "A".repeat(1_000_000)],
    ["a million bytes without a line end on 143", "imap", false, "A".repeat(1_000_000)],
    ["a million bytes without a line end on 993", "imaps", true, "A".repeat(1_000_000)],
    ["a million bytes without a line end on 80", "http", false, "A".repeat(1_000_000)],
    ["NULs on 25", "smtp", false, "EHLO \0\0\r\n\0\r\n"],
    ["NULs on 993", "imaps", true, "a\0 LOGIN \0 x\r\n"],
    ["a literal over every limit on 993", "imaps", true, "a LOGIN {99999999999999999999}\r\n"],
    ["a literal of 4 GB before login on 993", "imaps", true, "a LOGIN {4294967295+}\r\nx"],
    ["plain text on the TLS port 993", "imaps", false, "a LOGIN x y\r\n"],
    ["plain text on the TLS port 465", "submissions", false, "EHLO x\r\n"],
    ["TLS on the plain port 143", "imap", false, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ["a broken request on 80", "http", false, "GET\r\n\r\n\r\n"],
    ["an endless header on 443", "https", true, `GET / HTTP/1.1\r\n${"X-A: b\r\n".repeat(50_000)}`],
  ] as const) {
    test(`the relay survives ${name}`, async () => {
      const link = await Link.connect({ port: relay.ports[listener], tls });
      try {
        link.write(bytes);
      } catch {
        // Closed already: that is an answer.
      }
      // Whatever it says, or if it hangs up: it must go on serving.
      await link.line(ANSWER_WAIT_MS).catch(() => "");
      link.abort();
      await stillServes();
    });
  }

  test("unknown and over-long commands are answered with 500, then the connection works on", async () => {
    const smtp = await SmtpClient.open({ port: relay.ports.submissions, tls: true });
    expect((await smtp.command("FROBNICATE")).code).toBe(500);
    expect((await smtp.command(`NOOP ${"x".repeat(5_000)}`)).code).toBeWithin(500, 501);
    expect((await smtp.command("NOOP")).code).toBe(250);
    const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    expect((await imap.command("FROBNICATE")).status).toBe("BAD");
    expect((await imap.command("NOOP")).status).toBe("OK");
    imap.close();
    await smtp.quit();
  });

  test("what was pipelined behind STARTTLS is never executed", async () => {
    const smtp = await Link.connect({ port: relay.ports.submission });
    await smtp.line();
    smtp.write("EHLO [127.0.0.1]\r\n");
    while (!(await smtp.line()).startsWith("250 "));
    smtp.write("STARTTLS\r\nVRFY injected\r\n");
    const answer = await smtp.line();
    if (answer.startsWith("220")) {
      await smtp.upgrade().catch(() => {});
      const after = new SmtpClient(smtp);
      // Either the handshake failed, or the injected command is gone: the next reply is EHLO's.
      await after.hello().catch(() => {});
      if (after.capabilities.length > 0) expect((await after.command("NOOP")).code).toBe(250);
    } else expect(answer).toMatch(/^5/);
    smtp.abort();
    const imap = await Link.connect({ port: relay.ports.imap });
    await imap.line();
    imap.write("a STARTTLS\r\nb CAPABILITY\r\n");
    expect(await imap.line()).not.toMatch(/^b /);
    imap.abort();
    await stillServes();
  });

  test("a bare LF cannot end DATA", async () => {
    const smtp = await SmtpClient.open({ port: relay.ports.submissions, tls: true });
    await smtp.auth(user, PASSWORD);
    await smtp.command(`MAIL FROM:<${user}>`);
    await smtp.command(`RCPT TO:<${user}>`);
    expect((await smtp.command("DATA")).code).toBe(354);
    smtp.link.write(`From: <${user}>\r\nSubject: x\r\n\r\nhi\n.\nMAIL FROM:<evil@relay.test>\r\n.\r\n`);
    expect((await smtp.reply()).code).toBeGreaterThanOrEqual(500);
    smtp.link.abort();
    await stillServes();
  });

  test("a message above the size limit is refused with 552 at its end, and the connection works on", async () => {
    const smtp = await SmtpClient.open({ port: relay.ports.submissions, tls: true });
    await smtp.auth(user, PASSWORD);
    const data = await pgpMessage({ from: user, messageId: "big@localhost", bytes: MESSAGE_MAX_BYTES * 3 });
    expect((await smtp.send({ from: user, to: [user] }, data)).code).toBe(552);
    expect((await smtp.command("NOOP")).code).toBe(250);
    await smtp.quit();
  });

  test("clients that leave in the middle leave nothing behind", async () => {
    const data = await pgpMessage({ from: user, messageId: "half@localhost", bytes: 150_000 });
    for (const cut of [0, 1, 500, 70_000, data.length - 1]) {
      const smtp = await SmtpClient.open({ port: relay.ports.submissions, tls: true });
      await smtp.auth(user, PASSWORD);
      smtp.link.write(`MAIL FROM:<${user}>\r\nRCPT TO:<${user}>\r\nDATA\r\n`);
      for (let i = 0; i < 3; i++) await smtp.reply();
      smtp.link.write(data.subarray(0, cut));
      smtp.link.abort();
    }
    await stillServes();
    const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    await imap.login(user, PASSWORD);
    expect([...(await imap.messageIds()).values()]).not.toContain("<half@localhost>");
    imap.close();
  });

  // The last of these tests: this address may have to wait afterwards.
  test("guessing passwords in a loop never gets in, and the relay still greets", async () => {
    for (let i = 0; i < 8; i++) {
      const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true, readTimeoutMs: 3_000 }).catch(
        () => undefined,
      );
      const answer = await imap?.login(user, `guess number ${i}`).catch(() => undefined);
      expect(answer?.status ?? "NO").toBe("NO");
      imap?.close();
    }
    const smtp = await SmtpClient.open({ port: relay.ports.smtp });
    expect((await smtp.command("NOOP")).code).toBe(250);
    await smtp.quit();
  });

  test("nothing the relay printed names a user", () => {
    expect(relay.leaks(["injected", "evil@", "half@"])).toEqual([]);
  });
});

describe("operators' mistakes", () => {
  const dir = mkdtempSync(join(tmpdir(), "madmail-hostile-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  function configFile(name: string, text: string): string {
    const path = join(dir, name);
    writeFileSync(path, text);
    return path;
  }

  test("a broken config is refused with file, key, what was expected and what was found", async () => {
    const path = configFile("broken.toml", 'domains = ["relay.test"]\n[storage]\nfsync = "sometimes"\n');
    const { code, output } = await runMadmail(["run", "--config", path, "--state-dir", join(dir, "s1")]);
    expect(code).not.toBe(0);
    for (const part of ["broken.toml", "storage", "fsync", "always", "sometimes"])
      expect(output).toContain(part);
    expect(output).not.toMatch(/^\s+at .*\(/m);
  });

  test("an unknown key is named", async () => {
    const path = configFile("unknown.toml", 'domains = ["relay.test"]\n[limits]\nmesage_size = "3M"\n');
    const { code, output } = await runMadmail(["run", "--config", path, "--state-dir", join(dir, "s2")]);
    expect(code).not.toBe(0);
    expect(output).toContain("mesage_size");
  });

  test("a config that is not TOML is refused with its line", async () => {
    const path = configFile("nottoml.toml", 'domains = ["relay.test"\n');
    const { code, output } = await runMadmail(["run", "--config", path, "--state-dir", join(dir, "s3")]);
    expect(code).not.toBe(0);
    expect(output).toContain("nottoml.toml");
  });

  test("a missing config file is named", async () => {
    const { code, output } = await runMadmail(["run", "--config", join(dir, "absent.toml")]);
    expect(code).not.toBe(0);
    expect(output).toContain("absent.toml");
  });

  test("a port that is taken is named, and the process ends", async () => {
    const holder = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {}, error() {} } });
    const lists = ["smtp", "submission", "submissions", "imap", "http", "https"]
      .map((n) => `${n} = []`)
      .join("\n");
    const path = configFile(
      "taken.toml",
      `domains = ["relay.test"]\n[listen]\n${lists}\nimaps = ["127.0.0.1:${holder.port}"]\n`,
    );
    const { code, output } = await runMadmail(["run", "--config", path, "--state-dir", join(dir, "s4")]);
    holder.stop(true);
    expect(code).not.toBe(0);
    expect(output).toContain(String(holder.port));
  });

  test("a state directory that cannot be written is named", async () => {
    const blocked = configFile("a-file", "");
    const path = configFile("state.toml", 'domains = ["relay.test"]\n');
    const { code, output } = await runMadmail([
      "run",
      "--config",
      path,
      "--state-dir",
      join(blocked, "state"),
    ]);
    expect(code).not.toBe(0);
    expect(output).toContain("a-file");
  });
});

const diskRoom = mkdtempSync(join(tmpdir(), "madmail-full-"));
const DISK_BYTES = 12 * 2 ** 20;
const mounted =
  process.getuid?.() === 0 &&
  Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "madmail-test", diskRoom]).exitCode ===
    0;

describe.skipIf(!mounted)("a full disk (needs root and mount)", () => {
  afterAll(async () => {
    await runTool(["umount", diskRoom]);
    rmSync(diskRoom, { recursive: true, force: true });
  });

  test("mail is refused for now when the disk is full, and accepted again when there is room", async () => {
    const dir = join(diskRoom, "relay");
    mkdirSync(dir);
    const relay = await Relay.start({ name: "full-disk", dir });
    try {
      const user = relay.address("fullofmail");
      const smtp = await SmtpClient.open({ port: relay.ports.submissions, tls: true });
      expect((await smtp.auth(user, PASSWORD)).code).toBe(235);
      const send = async () => {
        const data = await pgpMessage({
          from: user,
          messageId: `${crypto.randomUUID()}@localhost`,
          bytes: 1_000_000,
        });
        return (await smtp.send({ from: user, to: [user] }, data)).code;
      };
      let accepted = 0;
      let code = await send();
      for (; code === 250 && accepted < 30; code = await send()) accepted++;
      expect(code).toBeWithin(450, 453);
      expect(accepted).toBeGreaterThan(2);
      const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
      expect((await imap.login(user, PASSWORD)).status).toBe("OK");
      expect((await imap.select()).exists).toBe(accepted);
      await imap.ok("UID STORE 1:* +FLAGS (\\Deleted)");
      await imap.ok("CLOSE");
      expect(await send()).toBe(250);
      imap.close();
      smtp.link.close();
    } finally {
      await relay.dispose();
    }
  });
});
