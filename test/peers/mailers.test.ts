/**
 * Mail programs of Debian against the compiled relay, each through a full round: mbsync and offlineimap keep two
 * copies alike, neomutt encrypts, sends, reads and files, openssl s_client speaks raw IMAP.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createHash, X509Certificate } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ImapClient } from "../support/imap-client.ts";
import { pgpMessage } from "../support/pgp-mail.ts";
import { Relay } from "../support/relay.ts";
import { isMissing, runTool } from "../support/tools.ts";

const PASSWORD = "correct-horse-battery";
const dir = mkdtempSync(join(tmpdir(), "madmail-mailers-"));
let relay: Relay;
/** The relay's own certificate, which the programs are told to trust. */
let certificate: string;

beforeAll(async () => {
  relay = await Relay.start({ name: "mailers" });
  certificate = join(relay.dir, "state/tls/cert.pem");
});

afterAll(async () => {
  await relay?.dispose();
  rmSync(dir, { recursive: true, force: true });
});

describe.skipIf(isMissing("mbsync"))("mbsync (needs the package isync)", () => {
  const near = join(dir, "mbsync");
  const inbox = join(near, "INBOX");

  const sync = (user: string) => {
    const rc = join(dir, "mbsyncrc");
    writeFileSync(
      rc,
      `IMAPAccount relay
Host 127.0.0.1
Port ${relay.ports.imaps}
User ${user}
Pass ${PASSWORD}
SSLType IMAPS
CertificateFile ${certificate}

IMAPStore far
Account relay

MaildirStore near
Path ${near}/
Inbox ${inbox}
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
Remove Both
SyncState *
`,
    );
    return runTool(["mbsync", "-c", rc, "-a"]);
  };

  test("mbsync carries mail, flags, deletions and folders both ways, and a further run does nothing", async () => {
    const user = relay.address("syncpeer1");
    for (const folder of ["INBOX", "Archive"]) makeMaildir(join(near, folder));
    const mine = await pgpMessage({ from: user, messageId: "near@localhost" });
    writeFileSync(
      join(inbox, "cur/1.near.host:2,S"),
      mine.toString("latin1").replaceAll("\r\n", "\n"),
      "latin1",
    );
    expect(await sync(user)).toMatchObject({ code: 0 });

    // Pushed: the message with its flag, and the folder.
    const imap = await logIn(user);
    expect([...(await imap.messageIds())]).toEqual([[1, "<near@localhost>"]]);
    const [stored] = await imap.fetch("1");
    expect(stored?.flags).toEqual(["\\Seen"]);
    // mbsync marks what it uploads.
    expect(stored?.body?.toString("latin1").replace(/^X-TUID: .*\r\n/m, "")).toBe(mine.toString("latin1"));
    expect((await imap.ok('LIST "" *')).untagged.map(({ text }) => text)).toContain(
      '* LIST (\\HasNoChildren \\Archive) "/" Archive',
    );

    // The far side gets a message, changes flags, and files one away.
    const theirs = await pgpMessage({ from: user, messageId: "far@localhost" });
    expect(await append(imap, "INBOX", theirs, "\\Flagged")).toBe(2);
    expect(await append(imap, "Archive", theirs, "")).toBe(1);
    await imap.ok("UID STORE 1 +FLAGS (\\Answered)");
    expect(await sync(user)).toMatchObject({ code: 0 });
    expect(flagsIn(inbox)).toEqual(["F", "RS"]);
    expect(flagsIn(join(near, "Archive"))).toHaveLength(1);

    // The near side marks one for deletion: gone on both.
    const name = files(inbox).find((file) => file.endsWith("RS")) ?? "";
    renameSync(join(inbox, "cur", name), join(inbox, "cur", `${name}T`));
    expect(await sync(user)).toMatchObject({ code: 0 });
    expect(flagsIn(inbox)).toEqual(["F"]);
    expect([...(await imap.messageIds()).keys()]).toEqual([2]);

    // And the far side one: gone on both.
    await imap.ok("UID STORE 2 +FLAGS (\\Deleted)");
    await imap.ok("EXPUNGE");
    expect(await sync(user)).toMatchObject({ code: 0 });
    expect(flagsIn(inbox)).toEqual([]);

    const before = snapshot(near);
    const { untagged } = await imap.ok("STATUS Archive (MESSAGES UIDNEXT HIGHESTMODSEQ)");
    expect(await sync(user)).toMatchObject({ code: 0 });
    expect(snapshot(near)).toEqual(before);
    expect((await imap.ok("STATUS Archive (MESSAGES UIDNEXT HIGHESTMODSEQ)")).untagged).toEqual(untagged);
    imap.close();
  });
});

describe.skipIf(isMissing("offlineimap"))("offlineimap (needs the package offlineimap3)", () => {
  test("offlineimap carries mail, flags and deletions both ways", async () => {
    const user = relay.address("offlpeer1");
    const near = join(dir, "offlineimap");
    const rc = join(dir, "offlineimaprc");
    const { raw } = new X509Certificate(readFileSync(certificate));
    writeFileSync(
      rc,
      `[general]
accounts = relay
metadata = ${join(dir, "offlineimap-state")}
[Account relay]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = ${near}
[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = ${relay.ports.imaps}
remoteuser = ${user}
remotepass = ${PASSWORD}
ssl = yes
cert_fingerprint = ${createHash("sha256").update(raw).digest("hex")}
`,
    );
    const sync = async () =>
      expect(await runTool(["offlineimap", "-o", "-c", rc, "-u", "quiet"])).toEqual({ code: 0, output: "" });
    const imap = await logIn(user);
    await imap.ok("CREATE Work");
    const theirs = await pgpMessage({ from: user, messageId: "far@localhost" });
    await append(imap, "INBOX", theirs, "\\Flagged");
    await append(imap, "Work", theirs, "");
    await sync();
    expect(flagsIn(join(near, "INBOX"))).toEqual(["F"]);
    expect(files(join(near, "Work"))).toHaveLength(1);

    const mine = await pgpMessage({ from: user, messageId: "near@localhost" });
    writeFileSync(
      join(near, "INBOX/new/1.near.host"),
      mine.toString("latin1").replaceAll("\r\n", "\n"),
      "latin1",
    );
    const [first = ""] = files(join(near, "Work"));
    rmSync(join(near, "Work", existsSync(join(near, "Work/cur", first)) ? "cur" : "new", first));
    await sync();
    expect([...(await imap.messageIds()).values()]).toEqual(["<far@localhost>", "<near@localhost>"]);
    expect((await imap.messageIds("Work")).size).toBe(0);

    await imap.select();
    await imap.ok("UID STORE 2 +FLAGS (\\Seen)");
    await imap.ok("UID STORE 1 +FLAGS (\\Deleted)");
    await imap.ok("CLOSE");
    await sync();
    expect(flagsIn(join(near, "INBOX"))).toEqual(["S"]);
    const before = snapshot(near);
    await sync();
    expect(snapshot(near)).toEqual(before);
    imap.close();
  });
});

describe.skipIf(["neomutt", "gpg", "script"].some(isMissing))(
  "neomutt (needs the packages neomutt and gnupg)",
  () => {
    const home = join(dir, "gnupg");
    const env = { GNUPGHOME: home, TERM: "xterm", HOME: dir, LC_ALL: "C.UTF-8" };

    afterAll(async () => {
      await runTool(["gpgconf", "--homedir", home, "--kill", "all"]);
    });

    /** Runs neomutt on a terminal of its own; `keys` are pressed. */
    const mutt = (rc: string, settings: string, keys: string) => {
      const script = join(dir, "mutt-keys");
      writeFileSync(script, `${settings}\npush "${keys}"\n`);
      return runTool(["script", "-qec", `neomutt -n -F ${rc} -e 'source ${script}'`, "/dev/null"], { env });
    };

    test("neomutt encrypts and sends, reads and decrypts, flags, copies, deletes", async () => {
      const user = relay.address("muttpeer1");
      mkdirSync(home, { mode: 0o700 });
      const key = ["--quick-generate-key", user, "future-default", "default", "never"];
      expect((await runTool(["gpg", "--batch", "--quiet", "--passphrase", "", ...key], { env })).code).toBe(
        0,
      );
      const editor = join(dir, "editor");
      writeFileSync(editor, '#!/bin/sh\necho "written in the editor" >> "$1"\n', { mode: 0o700 });
      const rc = join(dir, "muttrc");
      writeFileSync(
        rc,
        `set from=${user} realname="" imap_user=${user} imap_pass=${PASSWORD} smtp_pass=${PASSWORD}
set smtp_url="smtps://${user.replace("@", "%40")}@127.0.0.1:${relay.ports.submissions}"
set folder=imaps://127.0.0.1:${relay.ports.imaps} spoolfile=+INBOX
set ssl_verify_host=no certificate_file=${certificate}
set copy=no editor=${editor} abort_unmodified=no edit_headers=no delete=yes sleep_time=0 confirmappend=no confirmcreate=no
set crypt_use_gpgme=yes crypt_autoencrypt=yes crypt_autosign=no pgp_default_key=${user} wait_key=no
`,
      );
      const sent = await mutt(rc, "", `<mail>${user}<enter>A subject<enter><send-message><quit>`);
      expect(sent.code).toBe(0);

      const imap = await logIn(user);
      expect(await imap.select()).toMatchObject({ exists: 1 });
      const stored = (await imap.fetch("1"))[0]?.body?.toString("latin1") ?? "";
      expect(stored).toContain("-----BEGIN PGP MESSAGE-----");
      expect(stored).toContain("Subject: [...]");
      expect(stored).not.toContain("written in the editor");

      const shown = join(dir, "shown");
      const keys = `<pipe-message>cat > ${shown}<enter><flag-message><copy-message>=Kept<enter><delete-message><sync-mailbox><quit>`;
      expect((await mutt(rc, "set pipe_decode=yes", keys)).code).toBe(0);
      expect(readFileSync(shown, "utf8")).toContain("written in the editor");
      expect((await imap.messageIds()).size).toBe(0);
      expect((await imap.messageIds("Kept")).size).toBe(1);
      imap.close();
    });

    test("neomutt in batch mode is told why a message in clear is refused", async () => {
      const rc = join(dir, "muttrc");
      const result = await runTool(
        ["neomutt", "-n", "-F", rc, "-s", "hi", "--", relay.address("muttpeer1")],
        {
          env,
          input: "in clear\n",
        },
      );
      expect(result.code).not.toBe(0);
      expect(result.output).toContain("523 5.7.1 Encryption Needed: Invalid Unencrypted Mail");
    });
  },
);

describe.skipIf(isMissing("openssl"))("openssl s_client (needs the package openssl)", () => {
  for (const [name, target] of [
    ["imaps", () => ["-connect", `127.0.0.1:${relay.ports.imaps}`]],
    ["imap with STARTTLS", () => ["-connect", `127.0.0.1:${relay.ports.imap}`, "-starttls", "imap"]],
    ["https with ALPN imap", () => ["-connect", `127.0.0.1:${relay.ports.https}`, "-alpn", "imap"]],
  ] as const) {
    test(`s_client over ${name}: a whole session pipelined in one go`, async () => {
      const user = relay.address(`ssl${name.replaceAll(" ", "").toLowerCase()}`.slice(0, 20));
      const message = (await pgpMessage({ from: user, messageId: "raw@localhost" })).toString("latin1");
      const session = [
        `a LOGIN ${user} ${PASSWORD}`,
        'b LIST "" *',
        "c CREATE Other",
        `d APPEND INBOX (\\Seen) {${message.length}+}\r\n${message}`,
        "e SELECT INBOX",
        "f UID FETCH 1 (FLAGS BODY.PEEK[])",
        "g STORE 1 +FLAGS (\\Flagged)",
        "h COPY 1 Other",
        "i UID MOVE 1 Other",
        "j IDLE\r\nDONE",
        "k SELECT Other",
        "l STORE 2 +FLAGS.SILENT (\\Deleted)",
        "m EXPUNGE",
        "n LOGOUT",
        "",
      ];
      const { output } = await runTool(["openssl", "s_client", "-quiet", ...target()], {
        input: session.join("\r\n"),
      });
      const tagged = [...output.matchAll(/^([a-n]) (\w+)/gm)].map(([, tag, status]) => `${tag} ${status}`);
      expect(tagged).toEqual("abcdefghijklmn".split("").map((tag) => `${tag} OK`));
      expect(output).toContain(message);
      expect(output).toContain("* 1 EXISTS");
      expect(output).toContain("* 2 EXPUNGE");
      expect(output).toMatch(/\* BYE /);
    });
  }
});

describe.skipIf(isMissing("curl"))("curl (needs the package curl)", () => {
  test("curl uploads, lists, searches, fetches a part, flags, copies, moves and deletes", async () => {
    const user = relay.address("curlpeer1");
    const path = join(dir, "curl.eml");
    const message = await pgpMessage({ from: user, messageId: "curl@localhost" });
    writeFileSync(path, message);
    const curl = async (place: string, ...more: string[]) => {
      const url = `imaps://127.0.0.1:${relay.ports.imaps}/${place}`;
      const { code, output } = await runTool(["curl", "-sSk", "-u", `${user}:${PASSWORD}`, url, ...more]);
      expect({ code, place, more }).toEqual({ code: 0, place, more });
      return output;
    };
    await curl("", "-X", "CREATE Other");
    await curl("INBOX", "-T", path);
    expect(await curl("INBOX?ALL")).toBe("* SEARCH 1\r\n");
    expect(await curl("INBOX;UID=1")).toBe(message.toString("latin1"));
    expect(await curl("INBOX;UID=1;SECTION=1")).toBe("Version: 1\r\n");
    expect(await curl("INBOX", "-X", "STORE 1 +FLAGS (\\Flagged)")).toContain("\\Flagged");
    await curl("INBOX", "-X", "COPY 1 Other");
    await curl("INBOX", "-X", "MOVE 1 Other");
    expect(await curl("INBOX?ALL")).toBe("* SEARCH\r\n");
    expect(await curl("Other?FLAGGED")).toBe("* SEARCH 1 2\r\n");
    await curl("Other", "-X", "STORE 1:2 +FLAGS.SILENT (\\Deleted)");
    expect(await curl("Other", "-X", "EXPUNGE")).toContain("* 1 EXPUNGE");
    await curl("", "-X", "DELETE Other");
    expect(await curl("")).toBe('* LIST (\\HasNoChildren) "/" INBOX\r\n');
  });
});

test("nothing the relay printed names a user", () => {
  expect(relay.leaks()).toEqual([]);
});

async function logIn(user: string): Promise<ImapClient> {
  const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
  const answer = await imap.login(user, PASSWORD);
  if (answer.status !== "OK") throw new Error(`login: ${answer.status} ${answer.text}`);
  return imap;
}

/** @returns the new UID */
async function append(imap: ImapClient, mailbox: string, message: Buffer, flags: string): Promise<number> {
  const tag = imap.send(`APPEND ${mailbox} (${flags}) {${message.length}+}`);
  imap.link.write(Buffer.concat([message, Buffer.from("\r\n")]));
  const { text } = await imap.answer(tag);
  return Number(/APPENDUID \d+ (\d+)/.exec(text)?.[1]);
}

function makeMaildir(path: string): void {
  for (const part of ["cur", "new", "tmp"]) mkdirSync(join(path, part), { recursive: true });
}

function files(maildir: string): string[] {
  return [...readdirSync(join(maildir, "new")), ...readdirSync(join(maildir, "cur"))].sort();
}

/** The flag letters of each message, sorted. */
function flagsIn(maildir: string): string[] {
  return files(maildir)
    .map((name) => name.split(":2,")[1] ?? "")
    .sort();
}

/** Every file below, by name. */
function snapshot(path: string): string[] {
  return (readdirSync(path, { recursive: true }) as string[])
    .filter((name) => !name.includes(".mbsync"))
    .sort();
}
