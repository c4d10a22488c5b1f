/**
 * The talks of test/talks over TLS and TCP, against the compiled relay with real accounts: what the bare engine says
 * with fakes around it, the binary says too. Each talk is played whole and byte by byte.
 * What a talk needs that only fakes have is named in needs.ts; those are skipped and counted.
 */
import { afterAll, beforeAll, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromLatin1, toLatin1 } from "../../src/core/bytes.ts";
import { ImapClient } from "../support/imap-client.ts";
import { Relay } from "../support/relay.ts";
import { type Cutting, playTalk, type TalkTarget } from "../talks/play.ts";
import { openSocketTarget } from "../talks/socket-target.ts";
import { parseTalk, type Talk } from "../talks/talk.ts";
import { logIn, seed, translated } from "./accounts.ts";
import { isOnlyWhole, seenFromOutside, whatIsMissing } from "./needs.ts";

const DOMAIN = "relay.test";
const PASSWORD = "secret";
/** Those who can log in by themselves in talks, with their passwords. */
const USERS: Readonly<Record<string, string>> = {
  [`many@${DOMAIN}`]: PASSWORD,
  [`alice@${DOMAIN}`]: "secret1234",
};
const CUTTINGS: readonly Cutting[] = [{ cut: "never" }, { cut: "everywhere" }];
const TALK_TIMEOUT_MS = 30_000;
const SHORT_NAMES = { username_min_length: 1, password_min_length: 1 };
/** The fakes take mail in clear on port 25. */
const PLAIN = { require_tls: false };
const NO_THROTTLE = { failed_logins_per_minute: 100_000 };

type Protocol = "smtp" | "imap";

const dir = mkdtempSync(join(tmpdir(), "talks-live-"));
/** `open` makes accounts at login; `closed` knows USERS and nobody else, as the fakes do. */
const relays = new Map<"open" | "closed", Relay>();
let accounts = 0;

beforeAll(async () => {
  const makes = await Relay.start({ name: "talks-live-users", dir, config: { accounts: SHORT_NAMES } });
  for (const [user, password] of Object.entries(USERS)) {
    const client = await ImapClient.open({ port: makes.ports.imaps, tls: true });
    await client.ok(`LOGIN ${user} ${password}`);
    client.close();
  }
  await makes.stop();
  await makes.dispose();
  const closed = {
    accounts: { ...SHORT_NAMES, create_at_login: false },
    limits: NO_THROTTLE,
    smtp: PLAIN,
  };
  relays.set("closed", await Relay.start({ name: "talks-live-closed", dir, config: closed }));
  const open = { accounts: SHORT_NAMES, metadata: { comment: "hello" } };
  relays.set("open", await Relay.start({ name: "talks-live-open", config: open }));
}, TALK_TIMEOUT_MS);

afterAll(async () => {
  for (const relay of relays.values()) await relay.dispose();
  rmSync(dir, { recursive: true, force: true });
});

for (const protocol of ["smtp", "imap"] as const) {
  for (const { name, text } of talksOf(protocol)) {
    const why = whatIsMissing(protocol, seenFromOutside(parseTalk(name, text)));
    test.skipIf(why !== undefined)(
      `${protocol} talk ${name} ${why === undefined ? "over a socket" : `(${why})`}`,
      async () => {
        for (const cutting of CUTTINGS) {
          if (cutting.cut !== "never" && isOnlyWhole(parseTalk(name, text))) continue;
          const user = `many${accounts++}@${DOMAIN}`;
          const talk = seenFromOutside(parseTalk(name, text.replaceAll("many@relay.example", user)));
          await playTalk(talk, await open(protocol, talk, user), cutting);
        }
      },
      TALK_TIMEOUT_MS,
    );
  }
}

function talksOf(protocol: Protocol): { name: string; text: string }[] {
  const folder = join(import.meta.dir, "../talks", protocol);
  const names = readdirSync(folder).filter((name) => name.endsWith(".talk"));
  return names.sort().map((name) => ({ name, text: readFileSync(join(folder, name), "utf8") }));
}

async function open(protocol: Protocol, talk: Talk, user: string): Promise<TalkTarget> {
  const has = (name: string) => talk.setup.some((directive) => directive.name === name);
  const isLoggedIn = protocol === "imap" && has("login");
  const relay = relays.get(isLoggedIn || has("require-tls") ? "open" : "closed");
  if (relay === undefined) throw new Error("no relay");
  const host = "127.0.0.1";
  if (protocol === "smtp") {
    const mode = (talk.setup.find(({ name }) => name === "mode")?.args[0] ?? "smtp") as
      | "smtp"
      | "submissions";
    const target = await openSocketTarget({ host, port: relay.ports[mode], secure: mode === "submissions" });
    // The door of the fakes takes five recipients.
    return translated(target, (output) =>
      fromLatin1(toLatin1(output).replaceAll("RCPTMAX=1000", "RCPTMAX=5")),
    );
  }
  if (isLoggedIn) seed(talk, join(relay.stateDir, "mail", user, "Maildir"));
  const port = has("plain") ? relay.ports.imap : relay.ports.imaps;
  const target = await openSocketTarget({ host, port, secure: !has("plain") });
  return isLoggedIn ? logIn(target, talk, user, PASSWORD) : target;
}
