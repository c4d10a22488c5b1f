import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { fakeEncryptedMessage } from "../../pgp/fixtures.test-help.ts";
import { inboxOf, messageText } from "../../storage/store.test-help.ts";
import { until, WebHouse } from "./webmail.test-help.ts";

let web: WebHouse;
beforeEach(async () => {
  web = await WebHouse.open({ message_size: 300_000 });
});
afterEach(() => web.dispose());

const json = (body: unknown) => ({ body: JSON.stringify(body) });

describe("listing", () => {
  test("shows every mailbox with real figures and its use", async () => {
    await web.deliver(web.alice, messageText(1));
    await web.deliver(web.alice, messageText(2));
    await web.deliver(web.alice, messageText(3), "Sent");
    const flags = { uid: 1, flags: ["\\seen"], op: "add" };
    expect(await web.told("POST", "/webimap/message/flags", json(flags))).toEqual([200, { status: "ok" }]);
    expect(await web.told("GET", "/webimap/mailboxes")).toEqual([
      200,
      [
        { name: "INBOX", messages: 2, unseen: 1 },
        { name: "Sent", attributes: ["\\Sent"], messages: 1, unseen: 1 },
      ],
    ]);
  });

  test("numbers messages by their place, not their UID", async () => {
    for (const n of [1, 2, 3]) await web.deliver(web.alice, messageText(n));
    await web.ask("DELETE", "/webimap/message/1");
    const [, list] = await web.told("GET", "/webimap/messages?since_uid=2");
    expect(list).toMatchObject([{ uid: 3, seq_num: 2, flags: [], envelope: { subject: "no 3" } }]);
  });

  test("a thousand messages are one answer, the rest the next", async () => {
    for (let n = 0; n < 1003; n++) await web.deliver(web.alice, messageText(n));
    const [, first] = await web.told("GET", "/webimap/messages");
    const [, second] = await web.told("GET", "/webimap/messages?since_uid=1000");
    expect([(first as unknown[]).length, (second as unknown[]).length]).toEqual([1000, 3]);
  });
});

describe("a message", () => {
  const odd = Buffer.concat([
    Buffer.from('From: "A\\"" <a@x.test>\r\n\r\nquote " back \\ \u2028 \ud83d\ude00\r\n'),
    Buffer.from([0xff, 0xc3]),
  ]);

  test("is text, or base64 of every byte", async () => {
    await web.deliver(web.alice, odd.toString("latin1"));
    const stored = Buffer.from(odd.toString("latin1"), "utf8");
    const [, text] = await web.told("GET", "/webimap/message/1");
    expect((text as { body: string }).body).toBe(stored.toString("utf8"));
    const [, coded] = await web.told("GET", "/webimap/message/1?encoding=base64");
    expect(coded).toMatchObject({ encoding: "base64", body: stored.toString("base64") });
  });

  for (const bytes of [262_143, 262_144, 1_000_000]) {
    test(`of about ${bytes} bytes comes whole over the slices`, async () => {
      const body = "é€😀x".repeat(Math.ceil(bytes / 10));
      await web.deliver(web.alice, `Subject: long\r\n\r\n${body}`);
      for (const encoding of ["text", "base64"] as const) {
        const [, answer] = await web.told("GET", `/webimap/message/1?encoding=${encoding}`);
        const got = Buffer.from((answer as { body: string }).body, encoding === "text" ? "utf8" : encoding);
        expect(got.toString("utf8") === `Subject: long\r\n\r\n${body}`).toBe(true);
      }
    });
  }

  test("that a client stops reading leaves no file open", async () => {
    await web.deliver(web.alice, messageText(1, 2_000_000));
    const answer = await web.ask("GET", "/webimap/message/1");
    const reader = answer?.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    // Storage counts what is open: with a leak this many would wait for ever.
    for (let n = 0; n < 600; n++) {
      web.peerAddress = `192.0.2.${n % 10}`;
      await (await web.ask("GET", "/webimap/message/1"))?.body?.cancel();
    }
    const [status] = await web.told("GET", "/webimap/message/1");
    expect(status).toBe(200);
  });

  test("keeps its flags where IMAP finds them", async () => {
    await web.deliver(web.alice, messageText(1));
    const steps: [op: string, flags: string[], want: string[]][] = [
      ["add", ["\\Seen", "\\Flagged"], ["\\Flagged", "\\Seen"]],
      ["remove", ["\\Flagged", "\\Answered"], ["\\Seen"]],
      ["set", ["$Label", "\\Answered"], ["\\Answered", "$Label"]],
      ["set", [], []],
    ];
    for (const [op, flags, want] of steps) {
      await web.ask("POST", "/webimap/message/flags", json({ mailbox: "INBOX", uid: 1, flags, op }));
      const [, list] = await web.told("GET", "/webimap/messages");
      expect(list).toMatchObject([{ flags: want }]);
    }
    const inbox = await inboxOf(web.house.store, web.alice);
    expect(inbox.messages[0]?.flags).toBe(0);
    inbox.release();
  });

  const wrong: [name: string, method: string, path: string, body: unknown, status: number, error: string][] =
    [
      ["that is not there", "GET", "/webimap/message/7", undefined, 404, "message not found"],
      [
        "that is not there, to delete",
        "DELETE",
        "/webimap/messages/INBOX/7",
        undefined,
        404,
        "message not found",
      ],
      [
        "of an unknown mailbox",
        "GET",
        "/webimap/message/1?mailbox=No",
        undefined,
        400,
        "No: no such mailbox",
      ],
      ["with UID 0", "GET", "/webimap/message/0", undefined, 400, "uid"],
      [
        "with a flag that is none",
        "POST",
        "/webimap/message/flags",
        { uid: 1, flags: ["a b"], op: "add" },
        400,
        "flag",
      ],
      ["with an unknown change", "POST", "/webimap/message/flags", { uid: 1, flags: [], op: "x" }, 400, "op"],
      ["in bad percent-encoding", "DELETE", "/webimap/messages/%ff/1", undefined, 400, "percent"],
      ["by a path that is nothing", "GET", "/webimap/nothing", undefined, 404, "not found"],
    ];
  for (const [name, method, path, body, status, error] of wrong) {
    test(`${name} is refused`, async () => {
      await web.deliver(web.alice, messageText(1));
      const [got, answer] = await web.told(method, path, body === undefined ? {} : json(body));
      expect(got).toBe(status);
      expect((answer as { error: string }).error).toContain(error);
    });
  }
});

describe("a long poll", () => {
  test("answers at once when there is something", async () => {
    await web.deliver(web.alice, messageText(1));
    expect(await web.told("GET", "/webimap/messages?wait=100")).toMatchObject([200, [{ uid: 1 }]]);
  });

  test("ends with nothing after its time, two minutes at most", async () => {
    const waiting = web.told("GET", "/webimap/messages?wait=100000");
    await until(() => web.silences.length > 0);
    expect(web.silences).toEqual([150]);
    web.house.clock.advance(119_000);
    let isOver = false;
    void waiting.then(() => (isOver = true));
    await Promise.resolve();
    expect(isOver).toBe(false);
    web.house.clock.advance(1000);
    expect(await waiting).toEqual([200, []]);
  });

  test("is not woken by mail in other mailboxes, and is by its own", async () => {
    const waiting = web.told("GET", "/webimap/messages?wait=60");
    await until(() => web.silences.length > 0);
    await web.deliver(web.alice, messageText(1), "Sent");
    await web.deliver(web.alice, messageText(2));
    expect(await waiting).toMatchObject([200, [{ envelope: { subject: "no 2" } }]]);
    expect(web.webmail.countOf(web.alice)).toBe(0);
  });

  test("ends when its client goes, with its account, and with the relay", async () => {
    const end = new AbortController();
    const gone = web.told("GET", "/webimap/messages?wait=60", { signal: end.signal });
    await until(() => web.webmail.countOf(web.alice) >= 1);
    await until(() => web.silences.length >= 1);
    end.abort();
    expect(await gone).toEqual([200, []]);
    const banned = web.told("GET", "/webimap/messages?wait=60");
    await until(() => web.silences.length >= 2);
    web.webmail.dismiss(web.alice, { status: 401, closeCode: 1008, text: "log in again" });
    expect(await banned).toEqual([401, { error: "log in again" }]);
    const stopped = web.told("GET", "/webimap/messages?wait=60");
    await until(() => web.silences.length >= 3);
    await web.webmail.stop();
    expect(await stopped).toEqual([503, { error: "shutting down" }]);
  });

  test("is one of 32 at most", async () => {
    const all = Array.from({ length: 33 }, () => web.told("GET", "/webimap/messages?wait=60"));
    expect(await Promise.race(all)).toEqual([429, { error: "too many connections of this account" }]);
    await until(() => web.silences.length >= 32);
    await web.deliver(web.alice, messageText(1));
    const statuses = (await Promise.all(all)).map(([status]) => Number(status));
    expect(statuses.toSorted((a, b) => a - b)).toEqual([...Array<number>(32).fill(200), 429]);
  });
});

describe("sending", () => {
  const encrypted = (bytes: number) => Buffer.from(fakeEncryptedMessage(bytes)).toString("latin1");

  for (const path of ["/webimap/send", "/websmtp/send"]) {
    test(`by ${path} delivers what submission would`, async () => {
      const body = encrypted(5000).replaceAll("\r\n", "\n");
      const to = [web.bob, "<bob@relay.test>"];
      expect(await web.told("POST", path, json({ from: "Alice@relay.test", to, body }))).toEqual([
        200,
        { status: "sent" },
      ]);
      const [, list] = await web.told("GET", "/webimap/messages", { as: web.bob });
      expect(list).toHaveLength(1);
      const [, read] = await web.told("GET", "/webimap/message/1", { as: web.bob });
      expect((read as { body: string }).body).toContain("-----BEGIN PGP MESSAGE-----\r\n");
    });
  }

  test("takes base64", async () => {
    const body = Buffer.from(encrypted(5000), "latin1").toString("base64");
    const request = json({ to: [web.bob], body, encoding: "base64" });
    expect(await web.told("POST", "/websmtp/send", request)).toEqual([200, { status: "sent" }]);
  });

  test("is refused in the words of other versions", async () => {
    const clear = "From: <alice@relay.test>\r\nContent-Type: text/plain\r\n\r\nhello\r\n";
    const rows: [request: object, status: number, error: string][] = [
      [
        { to: [web.bob], body: clear },
        400,
        "Encryption Needed: only PGP-encrypted messages and SecureJoin handshakes are accepted: Encryption Needed: Invalid Unencrypted Mail",
      ],
      [{ to: [web.bob], body: encrypted(330_000) }, 413, "552 5.3.4 message file too big"],
      [{ to: [web.bob], body: "x".repeat(600_000) }, 413, "552 5.3.4 message file too big"],
      [{ body: clear }, 400, "missing recipients"],
      [{ to: ["a b"], body: clear }, 400, "501 5.1.3 Bad recipient address syntax"],
      [{ to: ["no-one@relay.test"], body: encrypted(5000) }, 404, "550 5.1.1 No such mailbox here"],
      [{ to: ["x@else.test"], body: encrypted(5000) }, 400, "federation rejected: else.test"],
      [{ from: web.bob, to: [web.bob], body: clear }, 403, "Unauthorized use of sender address"],
      [{ from: "nonsense", to: [web.bob], body: clear }, 403, "Unauthorized use of sender address"],
      [
        { to: [web.bob], body: encrypted(5000).replace("alice@relay.test", "bob@relay.test") },
        403,
        "Unauthorized use of sender address",
      ],
    ];
    for (const [request, status, error] of rows) {
      const [got, answer] = await web.told("POST", "/websmtp/send", json(request));
      expect([got, (answer as { error: string }).error.slice(0, error.length)]).toEqual([status, error]);
    }
    expect(await web.told("GET", "/webimap/messages", { as: web.bob })).toEqual([200, []]);
  });

  test("into a full mailbox says so", async () => {
    await web.house.operator.call("quota.set", { user: "bob", bytes: 6000 });
    const request = json({ to: [web.bob], body: encrypted(5000) });
    expect(await web.told("POST", "/websmtp/send", request)).toEqual([200, { status: "sent" }]);
    expect(await web.told("POST", "/websmtp/send", request)).toEqual([
      413,
      { error: "552 5.2.2 Quota exceeded" },
    ]);
  });

  test("reads no body before the login is right", async () => {
    let pulled = 0;
    const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 });
    expect(await web.told("POST", "/websmtp/send", { body, as: null })).toEqual([
      401,
      { error: "missing X-Email header" },
    ]);
    expect(pulled).toBe(0);
  });
});

describe("sending too much", () => {
  test("is as slow as submission", async () => {
    const slow = await WebHouse.open({ send_per_minute: 1 });
    const body = Buffer.from(fakeEncryptedMessage(3000)).toString("latin1");
    const statuses: unknown[] = [];
    for (let n = 0; n < 11; n++) {
      statuses.push((await slow.told("POST", "/websmtp/send", json({ to: [slow.bob], body })))[0]);
    }
    expect(statuses).toEqual([...Array<number>(10).fill(200), 429]);
    await slow.dispose();
  });
});

describe("who asks", () => {
  test("is told nothing while it is off, live", async () => {
    web.settings = { ...web.settings, imap: false };
    expect(await web.told("GET", "/webimap/mailboxes")).toEqual([404, { error: "not found" }]);
    expect(await web.told("OPTIONS", "/webimap/mailboxes")).toEqual([404, { error: "not found" }]);
    expect((await web.told("POST", "/websmtp/send", json({})))[0]).toBe(400);
    web.settings = { ...web.settings, imap: true, smtp: false };
    expect(await web.told("POST", "/websmtp/send", json({}))).toEqual([404, { error: "not found" }]);
    expect(await web.told("POST", "/webimap/send", json({}))).toEqual([404, { error: "not found" }]);
    expect((await web.told("GET", "/webimap/mailboxes"))[0]).toBe(200);
    expect(web.ask("GET", "/webimaps")).toBeUndefined();
  });

  test("needs a login that makes no account, from an address that has not failed too often", async () => {
    expect(await web.told("GET", "/webimap/mailboxes", { as: "nobody@relay.test" as never })).toEqual([
      401,
      { error: "invalid credentials" },
    ]);
    expect(web.attempts).toMatchObject([{ existingOnly: true, peerAddress: "192.0.2.1" }]);
    web.loginResult = { ok: false, why: "unavailable" };
    const answer = await web.ask("GET", "/webimap/mailboxes");
    expect([answer?.status, answer?.headers.get("retry-after")]).toEqual([429, "10"]);
    const failures = web.house.events.filter(({ kind }) => kind === "loginFailed");
    expect(failures).toMatchObject([{ why: "badCredentials" }, { why: "unavailable" }]);
  });

  test("may write UTF-8 into the header fields", async () => {
    const password = Buffer.from("pässwörd", "utf8").toString("latin1");
    const headers = { "X-Email": "alice@relay.test", "X-Password": password };
    await web.ask("GET", "/webimap/mailboxes", { as: null, headers });
    expect(web.attempts[0]?.password).toBe("pässwörd");
  });

  test("asks so often from one address, and others go on", async () => {
    let refused = 0;
    for (let n = 0; n < 302; n++) {
      const answer = await web.ask("GET", "/webimap/mailboxes", { as: null });
      if (answer?.status === 429) refused++;
    }
    expect(refused).toBe(2);
    web.peerAddress = "2001:db8::1";
    expect((await web.told("GET", "/webimap/mailboxes"))[0]).toBe(200);
  });

  test("sees answers of other origins only from the list", async () => {
    web.settings = { ...web.settings, cors_origins: ["https://app.example"] };
    const rows: [origin: string, allowed: string | null, preflight: number][] = [
      ["https://app.example", "https://app.example", 204],
      ["http://relay.test", "http://relay.test", 204],
      ["https://evil.example", null, 403],
      ["null", null, 403],
    ];
    for (const [origin, allowed, status] of rows) {
      const headers = { Origin: origin, host: "relay.test" };
      const answer = await web.ask("GET", "/webimap/mailboxes", { headers });
      expect(answer?.headers.get("access-control-allow-origin") ?? null).toBe(allowed);
      expect(answer?.headers.get("cache-control")).toBe("no-store");
      const before = await web.ask("OPTIONS", "/websmtp/send", { as: null, headers });
      expect([before?.status, before?.headers.get("access-control-allow-origin") ?? null]).toEqual([
        status,
        allowed,
      ]);
    }
  });
});
