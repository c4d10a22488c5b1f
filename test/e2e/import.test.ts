/** People whose relay moves from a chatmail relay to this one notice nothing: nothing is fetched or shown again. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Core, type Profile, secureJoin } from "../support/delta-chat.ts";
import { Relay, runMadmail } from "../support/relay.ts";

const SCENE_TIMEOUT_MS = 120_000;
const people = ["aliceimport", "bobbyimport"] as const;

/** The state of a relay as Dovecot and cmdeploy would have it. */
function asChatmail(stateDir: string, home: string): void {
  const db = new Database(join(stateDir, "madmail.db"), { readonly: true });
  for (const [address, hash] of db.query("SELECT username, hash FROM passwords").values() as [
    string,
    string,
  ][]) {
    const maildir = join(stateDir, "mail", address, "Maildir");
    const target = join(home, "relay.test", address);
    const [, validity = "", next = ""] =
      /V(\d+) N(\d+)/.exec(readFileSync(join(maildir, "madmail-uid"), "utf8")) ?? [];
    const lines = [`3 V${validity} N${next} G0123456789abcdef0123456789abcdef`];
    for (const part of ["tmp", "new", "cur"]) mkdirSync(join(target, part), { recursive: true });
    for (const part of ["new", "cur"] as const) {
      for (const name of readdirSync(join(maildir, part))) {
        const [, seconds = "", size = "", uid = ""] = /^(\d+)\..*,S=(\d+),U=(\d+)/.exec(name) ?? [];
        const base = `${seconds}.M${uid}P1.host,S=${size},W=${size}`;
        const file = join(
          target,
          part,
          `${base}${name.includes(":2,") ? name.slice(name.indexOf(":2,")) : ""}`,
        );
        copyFileSync(join(maildir, part, name), file);
        utimesSync(file, Number(seconds), Number(seconds));
        lines.push(`${uid} :${base}`);
      }
    }
    writeFileSync(join(target, "dovecot-uidlist"), `${lines.join("\n")}\n`);
    writeFileSync(join(target, "password"), `{ARGON2ID}${hash}`);
  }
  db.close();
}

describe("a move from a chatmail relay", () => {
  const dir = mkdtempSync(join(tmpdir(), "madmail-move-"));
  let relay: Relay;
  let core: Core;
  let alice: Profile;
  let bob: Profile;

  beforeAll(async () => {
    relay = await Relay.start({ name: "move-old" });
    core = await Core.start("move");
    [alice, bob] = await Promise.all([
      core.login({ relay, localpart: people[0] }),
      core.login({ relay, localpart: people[1] }),
    ]);
    // Several devices: what was fetched stays on the server, and would be fetched again if its numbers changed.
    for (const person of [alice, bob]) await person.rpc.setConfig(person.id, "bcc_self", "1");
    await secureJoin(alice, bob);
  }, SCENE_TIMEOUT_MS);

  afterAll(async () => {
    await core?.close();
    await relay?.dispose();
    rmSync(dir, { recursive: true, force: true });
  });

  test(
    "clients go on where they were, and chats are what they were",
    async () => {
      const chat = await alice.chatWith(bob);
      for (const text of ["one", "two", "three"]) {
        await alice.say(chat, text);
        expect((await bob.receive()).text).toBe(text);
      }
      const bobsChat = await bob.chatWith(alice);
      const before = [await alice.texts(chat), await bob.texts(bobsChat)];
      await core.excused(async () => {
        // A phone that is switched off: a connection that ends under it would make it wait half a minute.
        await Promise.all([alice, bob].map((person) => person.rpc.stopIo(person.id)));
        await relay.stop();
        asChatmail(relay.stateDir, join(dir, "home/vmail/mail"));
        mkdirSync(join(dir, "new"));
        const { code, output } = await runMadmail([
          "import",
          dir,
          "--state-dir",
          join(dir, "new/state"),
          "--yes",
          "--json",
        ]);
        expect([code, JSON.parse(output).data]).toEqual([
          0,
          expect.objectContaining({ kind: "chatmail", accounts: 2 }),
        ]);
        expect(JSON.parse(output).data.messages).toBeGreaterThanOrEqual(6);
        const from = core.journal.length;
        for (const person of [alice, bob]) person.forget("ImapInboxIdle");
        const { ports } = relay;
        await relay.dispose();
        relay = await Relay.start({ name: "move-new", dir: join(dir, "new"), ports });
        await Promise.all(
          [alice, bob].map((person) =>
            person.rpc.startIo(person.id).then(() => person.take("ImapInboxIdle")),
          ),
        );
        const since = core.journal.slice(from);
        expect(since.split("\n").filter((line) => /validity|resync|\bIncomingMsg\b/i.test(line))).toEqual([]);
      });
      expect([await alice.texts(chat), await bob.texts(bobsChat)]).toEqual(before);
      await bob.say(bobsChat, "after the move");
      expect((await alice.receive()).text).toBe("after the move");
      expect(await bob.texts(bobsChat)).toEqual([...(before[1] ?? []), "after the move"]);
    },
    SCENE_TIMEOUT_MS,
  );
});
