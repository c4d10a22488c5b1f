/** imapflow, the IMAP client of many Node programs, against the compiled relay: one full round on each kind of port. */
import type { EventEmitter } from "node:events";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { ImapFlow } from "imapflow";
import { pgpMessage } from "../support/pgp-mail.ts";
import { Relay } from "../support/relay.ts";

const PASSWORD = "correct-horse-battery";
let relay: Relay;

beforeAll(async () => {
  relay = await Relay.start({ name: "imapflow" });
});

afterAll(async () => {
  await relay?.dispose();
});

/** @param qresync deletions then come with their UIDs; imapflow counts messages only without it */
async function connect(user: string, port: "imap" | "imaps", qresync = false): Promise<ImapFlow> {
  const client = new ImapFlow({
    host: "127.0.0.1",
    // Bun wants a name here; imapflow gives `false` for an address.
    servername: "localhost",
    port: relay.ports[port],
    secure: port === "imaps",
    auth: { user, pass: PASSWORD },
    tls: { rejectUnauthorized: false },
    logger: false,
    qresync,
  });
  await client.connect();
  return client;
}

/** The next event of this name that satisfies. */
function event<T>(
  client: EventEmitter,
  name: "exists" | "flags" | "expunge",
  fits: (data: T) => boolean,
): Promise<T> {
  return new Promise((resolve) => {
    const listener = (data: T) => {
      if (!fits(data)) return;
      client.off(name, listener);
      resolve(data);
    };
    client.on(name, listener);
  });
}

for (const [port, name] of [
  ["imaps", "flowpeertls"],
  ["imap", "flowpeerstart"],
] as const) {
  test(`imapflow on ${port}: list, append, fetch, flag, search, copy, move, delete`, async () => {
    const user = relay.address(name);
    const client = await connect(user, port);
    expect(client.capabilities.has("XCHATMAIL")).toBe(true);
    expect((await client.list()).map(({ path }) => path)).toContain("INBOX");
    const made = await client.mailboxCreate("Work/Übersicht");
    expect(made).toMatchObject({ created: true, path: "Work/Übersicht" });

    const opened = await client.mailboxOpen("INBOX");
    expect(opened).toMatchObject({ exists: 0, readOnly: false });
    const raw = await pgpMessage({ from: user, messageId: `${name}@localhost` });
    const appended = await client.append(
      "INBOX",
      raw,
      ["\\Seen", "$Forwarded"],
      new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
    );
    expect(appended).toMatchObject({ uid: 1, uidValidity: opened.uidValidity });

    const query = {
      uid: true,
      flags: true,
      envelope: true,
      bodyStructure: true,
      size: true,
      source: true,
    } as const;
    const message = await client.fetchOne(
      "1",
      { ...query, internalDate: true, headers: ["message-id"] },
      { uid: true },
    );
    if (message === false) throw new Error("nothing fetched");
    expect(message.source?.equals(raw)).toBe(true);
    expect(message.size).toBe(raw.length);
    expect([...(message.flags ?? [])].sort()).toEqual(["$Forwarded", "\\Seen"]);
    expect(message.envelope).toMatchObject({ messageId: `<${name}@localhost>`, from: [{ address: user }] });
    expect(message.internalDate).toEqual(new Date(Date.UTC(2026, 0, 2, 3, 4, 5)));
    expect(message.bodyStructure?.childNodes?.map(({ type }) => type)).toEqual([
      "application/pgp-encrypted",
      "application/octet-stream",
    ]);
    const part = await client.download("1", "2", { uid: true });
    let armor = "";
    for await (const chunk of part.content) armor += String(chunk);
    expect(armor).toContain("-----BEGIN PGP MESSAGE-----");

    expect(await client.messageFlagsAdd("1", ["\\Flagged"], { uid: true })).toBe(true);
    expect(await client.messageFlagsRemove("1", ["\\Seen"], { uid: true })).toBe(true);
    expect(
      await client.search({ flagged: true, seen: false, header: { "message-id": name } }, { uid: true }),
    ).toEqual([1]);
    expect(await client.search({ seen: true }, { uid: true })).toEqual([]);
    expect(await client.messageCopy("1", "Work/Übersicht", { uid: true })).toMatchObject({
      uidMap: new Map([[1, 1]]),
    });
    expect(await client.messageMove("1", "Work/Übersicht", { uid: true })).toMatchObject({
      uidMap: new Map([[1, 2]]),
    });
    expect(
      await client.status("Work/Übersicht", { messages: true, unseen: true, uidNext: true }),
    ).toMatchObject({
      messages: 2,
      unseen: 2,
      uidNext: 3,
    });
    expect(client.mailbox).toMatchObject({ exists: 0 });
    expect(await client.getQuota("INBOX")).toMatchObject({ storage: { limit: 500 * 2 ** 20 } });

    await client.mailboxRename("Work/Übersicht", "Work/Alt");
    await client.mailboxSubscribe("Work/Alt");
    expect((await client.list()).find(({ path }) => path === "Work/Alt")).toMatchObject({ subscribed: true });
    await client.mailboxOpen("Work/Alt");
    expect(await client.messageDelete("1:*", { uid: true })).toBe(true);
    expect(client.mailbox).toMatchObject({ exists: 0 });
    await client.mailboxClose();
    expect(await client.mailboxDelete("Work/Alt")).toMatchObject({ path: "Work/Alt" });
    await client.logout();
  });
}

test("imapflow in IDLE hears of mail, flags and deletions by another session", async () => {
  const user = relay.address("flowpeeridle");
  const acting = await connect(user, "imaps");
  const watching = await connect(user, "imaps", true);
  await watching.mailboxOpen("INBOX");
  const news = event<{ count: number }>(watching, "exists", ({ count }) => count === 2);
  const idling = watching.idle();
  for (const id of ["one", "two"]) {
    await acting.append("INBOX", await pgpMessage({ from: user, messageId: `${id}@localhost` }), []);
  }
  await news;
  await acting.mailboxOpen("INBOX");
  const flagged = event<{ uid?: number; flags: Set<string> }>(watching, "flags", ({ flags }) =>
    flags.has("\\Seen"),
  );
  await acting.messageFlagsAdd("2", ["\\Seen"], { uid: true });
  expect((await flagged).uid).toBe(2);
  // With QRESYNC enabled the deletion comes as VANISHED, which names the UID.
  const gone = event<{ uid?: number; vanished: boolean }>(watching, "expunge", () => true);
  await acting.messageDelete("1", { uid: true });
  expect(await gone).toMatchObject({ uid: 1, vanished: true });
  await watching.noop();
  await idling;
  await Promise.all([watching.logout(), acting.logout()]);
});

test("nothing the relay printed names a user", () => {
  expect(relay.leaks()).toEqual([]);
});
