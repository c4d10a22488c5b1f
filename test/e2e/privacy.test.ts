/**
 * The privacy promise over everything that leaves the process by itself: output at every level, to every destination, in
 * both formats, the metrics page, figures and history. Nothing of it may name the people who were here.
 */
import { afterAll, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ImapClient } from "../support/imap-client.ts";
import { joinMail, pgpBody } from "../support/pgp-mail.ts";
import { Relay, runMadmail } from "../support/relay.ts";
import { SmtpClient } from "../support/smtp-client.ts";

const PASSWORD = "sesame-0penUp-Xk3";
const WRONG = "wr0ng-guess-Yq7";
const names = ["wilhelmina", "bartholomew", "nobodyknowshim", "otherperson"];
const secrets = [...names, PASSWORD, WRONG, "clear-subject", "198.51.100.23", "client.example", "told-token"];

const dir = mkdtempSync(join(tmpdir(), "madmail-privacy-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Case {
  name: string;
  log: Record<string, string>;
  env?: Record<string, string>;
}

const cases: Case[] = [
  { name: "off", log: { level: "off" } },
  { name: "error", log: { level: "error" } },
  { name: "info as JSON", log: { level: "info", format: "json" } },
  { name: "debug", log: { level: "debug" } },
  { name: "debug to the journal", log: { level: "debug", to: "journal" } },
  { name: "debug to a file", log: { level: "debug", to: "file", file: join(dir, "relay.log") } },
];

for (const { name, log } of cases) {
  test(`nothing that comes out names anybody: ${name}`, async () => {
    const relay = await Relay.start({
      name: `privacy-${name.replaceAll(" ", "-")}`,
      config: { log, metrics: { listen: ["127.0.0.1:0"] } },
    });
    try {
      await live(relay);
      const page = await (await fetch(`http://${metricsAddress(relay)}/metrics`)).text();
      expect(page).toContain('madmail_messages_accepted_total{via="submission"} 1');
      for (const category of ["smtp", "imap", "http", "federation"]) {
        expect(page).toMatch(
          new RegExp(`madmail_traffic_bytes_total\\{category="${category}",direction="in"\\} [1-9]`),
        );
      }
      const where = ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir, "--json"];
      const tasks = await runMadmail(["tasks", "run-all", "--yes", ...where]);
      expect(tasks.code).toBe(0);
      await relay.stop();
      const file = existsSync(join(dir, "relay.log")) ? readFileSync(join(dir, "relay.log"), "utf8") : "";
      const everything = [relay.output, file, page, tasks.output, history(relay)].join("\n").toLowerCase();
      expect(secrets.filter((secret) => everything.includes(secret.toLowerCase()))).toEqual([]);
      checkForm(name, relay.output, file);
    } finally {
      await relay.dispose();
    }
  });
}

/** The level holds: what must not be said is not, and what was asked for is there. */
function checkForm(name: string, output: string, file: string): void {
  const lines = output.split("\n").filter((line) => line !== "" && !line.includes('"ready":true'));
  const said = lines.filter((line) => !line.startsWith("madmail: "));
  if (name === "off" || name === "debug to a file") expect(said).toEqual([]);
  if (name === "debug to a file") expect(file).toContain("event=messageAccepted via=submission");
  if (name === "debug to the journal") {
    expect(said.filter((line) => !/^<[367]>level=/.test(line))).toEqual([]);
    expect(output).toContain("<6>level=info event=messageAccepted");
    expect(output).toContain("<7>level=debug event=connectionOpened");
  }
  if (name === "info as JSON") {
    const events = said.map((line) => JSON.parse(line) as { level: string; event: string });
    expect(new Set(events.map(({ level }) => level))).toEqual(new Set(["info"]));
    expect(events.map(({ event }) => event)).toContain("messageRefused");
  }
}

test("the level changes on SIGHUP", async () => {
  const relay = await Relay.start({ name: "privacy-level", config: { log: { level: "off" } } });
  try {
    (await ImapClient.open({ port: relay.ports.imaps, tls: true })).close();
    await relay.reload({ log: { level: "debug" } });
    expect(relay.output).not.toContain("event=connectionOpened");
    const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    imap.close();
    await relay.until((output) => output.includes("event=connectionClosed"));
    await relay.reload({ log: { level: "error" } });
    const length = relay.output.length;
    (await ImapClient.open({ port: relay.ports.imaps, tls: true })).close();
    await relay.reload({ log: { level: "error", format: "json" } });
    expect(relay.output.slice(length)).not.toContain("connectionOpened");
  } finally {
    await relay.dispose();
  }
});

/** What people do, and what goes wrong for them. */
async function live(relay: Relay): Promise<void> {
  const [from, to, nobody, other] = names.map((name) => `${name}@${relay.domain}`) as [
    string,
    string,
    string,
    string,
  ];
  const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
  await imap.login(to, PASSWORD);
  // Answered late on purpose: the rest goes on meanwhile.
  const wrong = await ImapClient.open({ port: relay.ports.imaps, tls: true });
  const refused = wrong.login(to, WRONG);
  const smtp = await SmtpClient.open({ port: relay.ports.submissions, tls: true });
  await smtp.command("EHLO client.example");
  expect((await smtp.auth(from, PASSWORD)).code).toBe(235);
  const mail = joinMail({ from, messageId: "p-1@localhost" }, await pgpBody(5000));
  expect((await smtp.send({ from, to: [to, nobody] }, mail)).code).toBe(250);
  const clear = Buffer.from(`From: <${from}>\r\nTo: <${to}>\r\nSubject: clear-subject\r\n\r\nhi\r\n`);
  expect((await smtp.send({ from, to: [to] }, clear)).code).toBe(523);
  await smtp.command("RSET");
  await smtp.command(`MAIL FROM:<${other}>`);
  expect((await smtp.command(`RCPT TO:<${to}>`)).code).toBeGreaterThan(499);
  await smtp.command(`VRFY ${from}`);
  await smtp.command(`X-${from} 198.51.100.23`);
  await imap.select();
  await imap.command(`SETMETADATA INBOX (/private/devicetoken "told-token")`);
  await imap.command(`SELECT "${nobody}"`);
  await imap.command(`X-${to} 198.51.100.23`);
  imap.close();
  smtp.link.close();
  await fetch(`http://127.0.0.1:${relay.ports.http}/${from}?x=${to}`, {
    keepalive: false,
    headers: { "x-forwarded-for": "198.51.100.23", referer: `mailto:${from}` },
  });
  await fetch(`http://127.0.0.1:${relay.ports.http}/mxdeliv`, {
    method: "POST",
    headers: { "x-mail-from": other, "x-mail-to": to },
    body: clear,
  });
  expect((await refused).status).toBe("NO");
  wrong.close();
}

function metricsAddress(relay: Relay): string {
  const line = relay.output.split("\n").find((each) => each.includes('"ready":true')) ?? "{}";
  return (JSON.parse(line) as { listeners: Record<string, string[]> }).listeners["metrics"]?.[0] ?? "";
}

/** Charts and the list of what operators did. */
function history(relay: Relay): string {
  const db = new Database(join(relay.stateDir, "madmail.db"), { readonly: true });
  const rows = ["history_samples", "audit_events", "message_stats"].flatMap((table) =>
    db.query(`SELECT * FROM ${table}`).values(),
  );
  db.close();
  expect(rows.length).toBeGreaterThan(2);
  return JSON.stringify(rows);
}
