import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { messageText } from "../../storage/store.test-help.ts";
import { farewells } from "./guests.ts";
import { type FakeLink, until, WebHouse } from "./webmail.test-help.ts";

let web: WebHouse;
beforeEach(async () => {
  web = await WebHouse.open();
});
afterEach(() => web.dispose());

const ask = (action: string, data?: unknown, req_id: string | number = action) =>
  JSON.stringify({ req_id, action, data });
const uids = (link: FakeLink) => link.said.map(({ data }) => (data as { uid: number }).uid);

describe("news", () => {
  test("are pushed from the UID that the client knows, each once and in order", async () => {
    for (const n of [1, 2, 3]) await web.deliver(web.alice, messageText(n));
    const { link } = await web.socket(web.credentials("&since_uid=1"));
    await link.heard(2);
    for (const n of [4, 5]) await web.deliver(web.alice, messageText(n));
    await link.heard(4);
    expect(uids(link)).toEqual([2, 3, 4, 5]);
    expect(link.said[3]).toMatchObject({
      action: "new_message",
      data: { seq_num: 5, envelope: { subject: "no 5" } },
    });
  });

  test("are those of the watched mailbox", async () => {
    await web.deliver(web.alice, messageText(1), "Sent");
    const { session, link } = await web.socket(web.credentials("&mailbox=Sent&since_uid=1"));
    await web.deliver(web.alice, messageText(2));
    await web.deliver(web.alice, messageText(3), "Sent");
    session.message(ask("list_mailboxes"));
    const [news, figures] = await link.heard(2);
    expect(news).toMatchObject({ action: "new_message", data: { uid: 2, envelope: { subject: "no 3" } } });
    expect(figures).toMatchObject({
      data: [
        { name: "INBOX", messages: 1 },
        { name: "Sent", messages: 2 },
      ],
    });
  });

  test("wait for a client that does not read, without a queue", async () => {
    const { session, link } = await web.socket();
    link.unsentBytes = 2_000_000;
    for (let n = 1; n <= 50; n++) await web.deliver(web.alice, messageText(n));
    session.message(ask("list_mailboxes"));
    expect(link.said).toEqual([]);
    link.unsentBytes = 0;
    session.drained();
    const said = await link.heard(51);
    expect(said.filter(({ action }) => action === "result")).toHaveLength(1);
    expect(new Set(uids(link)).size).toBe(51);
  });
});

describe("commands", () => {
  test("are answered in their order, under their ids", async () => {
    const { session, link } = await web.socket();
    session.message(ask("search", { query: "x" }, "a"));
    session.message(ask("list_mailboxes", undefined, 2));
    session.message(JSON.stringify({ action: "dance" }));
    session.message("[1]");
    const said = await link.heard(4);
    expect(said.map(({ req_id, action }) => [req_id, action])).toEqual([
      // What is no command is answered at once.
      [undefined, "error"],
      ["a", "result"],
      [2, "result"],
      [undefined, "error"],
    ] as never);
    expect(said[3]?.data).toBe("unknown action: dance");
  });

  const refused: [action: string, data: unknown, error: string][] = [
    ["fetch", { uid: 9 }, "message not found"],
    ["fetch", {}, "uid"],
    ["fetch", { uid: "1" }, "uid"],
    ["search", { query: "" }, "query"],
    ["search", undefined, "query"],
    ["create_mailbox", { name: "INBOX" }, "INBOX stays what it is"],
    ["rename_mailbox", { old_name: "inbox", new_name: "x" }, "INBOX stays what it is"],
    ["delete_mailbox", { name: "No" }, "No: no such mailbox"],
    ["create_mailbox", { name: "a//b" }, "a//b"],
    ["copy", { uid: 1, dest_mailbox: "No" }, "No: no such mailbox"],
    ["move", { uid: 9, dest_mailbox: "INBOX" }, "message not found"],
    ["constructor", {}, "unknown action: constructor"],
    ["auth", {}, "unknown action: auth"],
    ["flags", { uid: 1, flags: ["\\Recent"], op: "add" }, "flags"],
  ];
  for (const [action, data, error] of refused) {
    test(`${action} of ${JSON.stringify(data)} is refused`, async () => {
      const { session, link } = await web.socket();
      session.message(ask(action, data));
      const [answer] = await link.heard(1);
      expect(answer).toMatchObject({ action: "error" });
      expect(String(answer?.data)).toContain(error);
    });
  }

  test("find encoded subjects, and people by name and address", async () => {
    const header = (subject: string, from: string) =>
      `Subject: ${subject}\r\nFrom: ${from}\r\nTo: <to@x.test>\r\n\r\n`;
    await web.deliver(web.alice, header("=?utf-8?q?Caf=C3=A9?=", '"Carol C" <carol@x.test>'));
    await web.deliver(web.alice, header("[...]", "=?utf-8?b?w4VzYQ==?= <asa@x.test>"));
    const { session, link } = await web.socket(web.credentials("&since_uid=2"));
    const rows: [query: string, want: number[]][] = [
      ["CAFÉ", [1]],
      ["carol c", [1]],
      ["carol@X", [1]],
      ["åsa", [2]],
      ["to@x.test", [1, 2]],
      ["nothing", []],
    ];
    for (const [query] of rows) session.message(ask("search", { query }));
    const said = await link.heard(rows.length);
    expect(said.map(({ data }) => (data as { uid: number }[]).map(({ uid }) => uid))).toEqual(
      rows.map(([, want]) => want),
    );
  });

  test("that pile up end the session", async () => {
    const { session, link } = await web.socket();
    link.unsentBytes = 2_000_000;
    for (let n = 0; n < 300; n++) session.message(ask("list_mailboxes"));
    expect(link.closed).toEqual(["1008 too many requests at once"]);
  });

  test("count as requests do", async () => {
    const { session, link } = await web.socket();
    for (let n = 0; n < 250; n++) session.message(ask("list_mailboxes", undefined, n));
    await link.heard(250);
    for (let n = 0; n < 60; n++) session.message(ask("list_mailboxes", undefined, n));
    const said = await link.heard(310);
    expect(said.filter(({ data }) => data === "too many requests, try again later")).toHaveLength(11);
  });

  test("send only while sending is on", async () => {
    const { session, link } = await web.socket();
    web.settings.smtp = false;
    session.message(ask("send", { to: [], body: "" }));
    await link.heard(1);
    web.settings.smtp = true;
    session.message(ask("send", { to: [], body: "" }));
    expect((await link.heard(2)).map(({ data }) => data)).toEqual([
      "send is not enabled",
      "missing recipients",
    ]);
  });
});

describe("a login by the first message", () => {
  test("is one, and counts from then", async () => {
    await web.deliver(web.alice, messageText(1));
    const { session, link } = await web.socket("");
    const password = new URLSearchParams(web.credentials()).get("password");
    session.message(ask("auth", { email: web.alice, password }));
    const said = await link.heard(2);
    expect(said).toMatchObject([{ action: "result", data: { status: "ok" } }, { action: "new_message" }]);
    expect(web.webmail.countOf(web.alice)).toBe(1);
    session.closed();
    expect([web.webmail.countOf(web.alice), web.webmail.connections().connections]).toEqual([0, 0]);
  });

  test("that is wrong, or late, or something else ends the session", async () => {
    for (const text of [
      ask("auth", { email: web.alice, password: "x" }),
      ask("fetch", { uid: 1 }),
      ask("auth", {}),
    ]) {
      const { session, link } = await web.socket("");
      session.message(text);
      await until(() => link.closed.length > 0);
      expect([link.said.length, link.closed]).toEqual([1, ["1008 log in first"]]);
    }
    const { link } = await web.socket("");
    web.house.clock.advance(14_000);
    expect(link.closed).toEqual(["1008 log in first"]);
  });

  test("is awaited by four of one address at most", async () => {
    const held = [];
    for (let n = 0; n < 4; n++) held.push(await web.socket(""));
    expect(await web.socket("").then(String, String)).toContain("429");
    web.peerAddress = "198.51.100.1";
    await web.socket("");
    web.peerAddress = "192.0.2.1";
    held[0]?.session.closed();
    await web.socket("");
  });
});

describe("a session", () => {
  test("is pinged every half minute and ends after a minute of silence", async () => {
    const { session, link } = await web.socket();
    const { clock } = web.house;
    clock.advance(34_000);
    expect(link.pings).toBe(1);
    session.heard();
    clock.advance(34_000);
    expect([link.pings, link.closed]).toEqual([2, []]);
    clock.advance(34_000);
    expect(link.closed).toEqual(["terminated"]);
    expect(web.webmail.countOf(web.alice)).toBe(0);
  });

  test("answers pings of pages, before a login too", async () => {
    const { session, link } = await web.socket("");
    session.message('{"type":"ping"}');
    expect(await link.heard(1)).toEqual([{ action: "pong", data: {} }]);
  });

  test("ends with its account's right to it, and when reading is turned off", async () => {
    const [one, two] = [await web.socket(), await web.socket(web.credentials("", web.bob))];
    web.webmail.dismiss(web.alice, farewells.revoked);
    expect([one.link.closed, two.link.closed]).toEqual([["1008 log in again"], []]);
    web.webmail.dismissAll(farewells.turnedOff);
    expect(two.link.closed).toEqual(["1001 not found"]);
    expect(web.webmail.connections()).toEqual({ connections: 0, addresses: 0 });
    await web.deliver(web.alice, messageText(1));
    expect(one.link.said).toEqual([]);
  });

  test("is refused with a reason before it begins", async () => {
    const upgrade = { as: null, headers: { upgrade: "websocket" } };
    const path = (query: string) => `/webimap/ws${query}`;
    const wrong = `?email=${web.alice}&password=wrong`;
    expect(await web.told("GET", path(wrong), upgrade)).toEqual([401, { error: "invalid credentials" }]);
    expect(await web.told("GET", path(web.credentials("&mailbox=No")), upgrade)).toEqual([
      400,
      { error: "No: no such mailbox" },
    ]);
    expect((await web.told("GET", path(web.credentials("&since_uid=x")), upgrade))[0]).toBe(400);
    expect(await web.told("GET", path(""), { as: null })).toEqual([426, { error: "expected a WebSocket" }]);
    const foreign = { as: null, headers: { upgrade: "websocket", origin: "https://evil.example" } };
    expect(await web.told("GET", path(web.credentials()), foreign)).toEqual([
      403,
      { error: "origin not allowed" },
    ]);
    expect(web.webmail.connections().connections).toBe(0);
    expect(web.webmail.countOf(web.alice)).toBe(0);
  });
});
