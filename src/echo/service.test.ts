/** The echo on real books, a real mail store and the real door. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Ground, openGround } from "../app/ground.ts";
import { Supervisor } from "../app/supervisor.ts";
import { type Config, resolveConfig } from "../config/config.ts";
import { configSchema } from "../config/schema.ts";
import { type Address, parseAddress } from "../core/address.ts";
import { systemClock } from "../core/clock.ts";
import { Door } from "../delivery/door.ts";
import type { Log } from "../log/events.ts";
import { type Identity, makeIdentity } from "../openpgp/identity.ts";
import { openLetter, sealLetter } from "../openpgp/letter.ts";
import { unasked } from "../policy/origin.ts";
import { ownKeyPath, readInvitation } from "./own-key.ts";
import { EchoService } from "./service.ts";

const address = (text: string): Address => {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
};
const silent: Log = { emit: () => undefined, counts: () => new Map() };
const alice = await makeIdentity(address("alice@relay.test"));
const echoAddress = address("echo@relay.test");

describe("the echo", () => {
  let dir: string;
  let config: Config;
  let supervisor: Supervisor;
  let ground: Ground;
  let door: Door;
  let echo: EchoService;

  const configWith = (enabled: boolean) =>
    resolveConfig(
      configSchema.parse({
        state_dir: dir,
        hostname: "relay.test",
        storage: { fsync: "never" },
        limits: { send_per_minute: 0 },
        echo: { enabled },
      }),
    );

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "madmail-echo-"));
    config = configWith(true);
    supervisor = new Supervisor(silent);
    ground = await openGround({ config: () => config, clock: systemClock, log: silent, supervisor });
    const { store, state, clock } = ground;
    const accounts = {
      exists: (user: Address) => state.accounts.has(user),
      blocked: () => false,
      quotaBytes: (user: Address) => state.accounts.quotaBytes(user),
    };
    const origin = { open: () => unasked };
    door = new Door({
      settings: config,
      store,
      accounts,
      counters: state.counters,
      origin,
      log: silent,
      clock,
    });
    echo = new EchoService({ ...ground, door });
    await ground.accounts.create(alice.address);
  });

  afterEach(async () => {
    await echo.stop();
    await supervisor.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** The echo's key is public to whoever asks here; clients learn it by SecureJoin. */
  const echoKey = async () => {
    const { readPrivateKey } = await import("openpgp");
    const { key } = (await Bun.file(ownKeyPath(dir)).json()) as { key: string };
    return (await readPrivateKey({ armoredKey: key })).toPublic();
  };
  const write = async (from: Identity, text: string, fields: [string, string][] = []) => {
    const to = { address: echoAddress, key: await echoKey() };
    const letter = await sealLetter({ from, to, id: crypto.randomUUID(), nowMs: Date.now(), text, fields });
    const intake = door.open({
      via: "submission",
      login: from.address,
      sender: from.address,
      recipients: [echoAddress],
    });
    intake.write(letter);
    return intake.finish();
  };
  const countOf = async (user: Address) => (await ground.store.account(user)).messageCount;
  /** Looks now and after each change. */
  const until = async (user: Address, isRight: () => boolean | Promise<boolean>) => {
    for (;;) {
      const changed = Promise.withResolvers<void>();
      const end = ground.hub.subscribe(user, changed.resolve);
      try {
        if (await isRight()) return;
        await changed.promise;
      } finally {
        end();
      }
    }
  };
  const firstLetter = async () => {
    const inbox = await (await ground.store.account(alice.address)).open("INBOX");
    const body = await inbox.body(inbox.messages[0]?.uid ?? 0);
    const raw = (await body?.read(0, 100_000)) ?? new Uint8Array();
    await body?.close();
    inbox.release();
    return openLetter(raw, alice.key);
  };

  test("answers, encrypted and signed, and keeps nothing", async () => {
    await echo.reconfigure();
    expect((await write(alice, "hello")).do).toBe("accept");
    await until(alice.address, async () => (await countOf(alice.address)) === 1);
    const answer = await firstLetter();
    expect(await answer?.isSignedBy(await echoKey())).toBe(true);
    await until(echoAddress, async () => (await countOf(echoAddress)) === 0);
    expect(readdirSync(join(dir, "echo"))).toEqual(["key.json"]);
    expect(echo.facts()).toMatchObject({ running: true, answered: 1, trouble: "" });
  });

  test("what lay in its mailbox before the start is answered, too", async () => {
    await echo.reconfigure();
    config = configWith(false);
    await echo.reconfigure();
    expect(echo.facts().running).toBe(false);
    await write(alice, "are you there?");
    expect(await countOf(echoAddress)).toBe(1);
    config = configWith(true);
    await echo.reconfigure();
    await until(alice.address, async () => (await countOf(alice.address)) === 1);
  });

  test("a program's message and one that nobody can read go without an answer", async () => {
    await echo.reconfigure();
    const link = echo.facts().link;
    await write(alice, "beep", [["Auto-Submitted", "auto-generated"]]);
    const stranger = await sealLetter({
      from: alice,
      to: { address: echoAddress, key: alice.key.toPublic() },
      id: "x",
      nowMs: 0,
      text: "for somebody else",
    });
    const intake = door.open({
      via: "submission",
      login: alice.address,
      sender: alice.address,
      recipients: [echoAddress],
    });
    intake.write(stranger);
    await intake.finish();
    await until(echoAddress, async () => (await countOf(echoAddress)) === 0);
    expect(echo.facts()).toMatchObject({ answered: 0, ignored: 2, link });
    expect(await countOf(alice.address)).toBe(0);
  });

  test("who writes too much hears nothing for a while", async () => {
    await echo.reconfigure();
    for (let i = 0; i < 12; i++) await write(alice, `message ${i}`);
    await until(echoAddress, async () => (await countOf(echoAddress)) === 0);
    const { answered, ignored } = echo.facts();
    expect(answered + ignored).toBe(12);
    expect(answered).toBe(10);
  });

  test("somebody's account of that name stays theirs", async () => {
    await ground.accounts.create(echoAddress);
    await echo.reconfigure();
    expect(echo.facts()).toMatchObject({ running: false });
    expect(echo.facts().trouble).toContain("somebody's account");
    expect(readInvitation(dir)).toBeUndefined();
  });

  test("a damaged key is told, and never replaced by another", async () => {
    await echo.reconfigure();
    await echo.stop();
    writeFileSync(ownKeyPath(dir), "{}");
    const again = new EchoService({ ...ground, door });
    await again.reconfigure();
    expect(again.facts().trouble).toContain("damaged");
    expect(await Bun.file(ownKeyPath(dir)).text()).toBe("{}");
  });
});
