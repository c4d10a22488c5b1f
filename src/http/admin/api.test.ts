/** The envelope of the admin API: who gets in, who is locked out, what is answered to nonsense. Operations are stand-ins. */
import { beforeEach, expect, test } from "bun:test";
import { ManualClock } from "../../core/clock.ts";
import { version } from "../../core/version.ts";
import { OperationError } from "../../operations/operation.ts";
import type { Operations } from "../../operations/operations.ts";
import { AdminApi } from "./api.ts";
import { AdminSessions } from "./sessions.ts";

const TOKEN = "the-operators-token";
const status = "/admin/operations/queue.status";

let clock: ManualClock;
let sessions: AdminSessions;
let api: AdminApi;
let calls: unknown[][];
let outcome: () => Promise<unknown>;
let operatorToken: string | undefined;

beforeEach(() => {
  clock = new ManualClock();
  calls = [];
  operatorToken = TOKEN;
  outcome = () => Promise.resolve({ messages: 0 });
  sessions = new AdminSessions({ operatorToken: () => operatorToken, clock });
  const operations = {
    as: () => ({}),
    callUnknown: (...args: unknown[]) => {
      calls.push(args);
      return outcome();
    },
  } as unknown as Operations;
  api = new AdminApi({
    operations,
    sessions,
    peerAddress: (request) => request.headers.get("x-test-peer") ?? "192.0.2.1",
    origins: () => ["https://panel.example"],
    clock,
    log: { emit: () => undefined, counts: () => new Map() },
  });
});

interface Sent {
  method?: string;
  resource?: string;
  token?: string;
  body?: unknown;
  peer?: string;
}

interface Answer {
  status: number;
  resource?: string;
  body?: unknown;
  error: string | null;
  version: string;
}

async function ask({ method, resource = status, token = TOKEN, body, peer }: Sent = {}): Promise<Answer> {
  const headers = token === "" ? {} : { Authorization: `Bearer ${token}` };
  const response = await api.answer(
    new Request("http://relay.test/api/admin", {
      method: "POST",
      headers: peer === undefined ? {} : { "x-test-peer": peer },
      body: JSON.stringify({ method, resource, headers, body }),
    }),
  );
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
}

async function raw(init: RequestInit): Promise<Response> {
  return await api.answer(new Request("http://relay.test/api/admin", init));
}

test("an operation is called by its name, and its result is the body", async () => {
  expect(await ask({ method: "POST", body: {} })).toEqual({
    status: 200,
    resource: status,
    body: { messages: 0 },
    error: null,
    version,
  });
  expect(calls).toEqual([["queue.status", {}, { face: "admin", scope: "full" }]]);
});

test("the method is GET when absent, and any case will do", async () => {
  expect(await ask()).toMatchObject({ status: 405, error: "method GET not allowed, expected POST" });
  expect((await ask({ method: "post" })).status).toBe(200);
});

test.each(["", "wrong", `${TOKEN}x`, "undefined"])(
  "token %p gets 401, and is not told what it asked for",
  async (token) => {
    const answer = await ask({ token });
    expect(answer).toEqual({ status: 401, error: "unauthorized", version });
    expect(calls).toEqual([]);
  },
);

test("without an operator's token nobody gets in", async () => {
  operatorToken = undefined;
  expect((await ask({ token: "" })).status).toBe(401);
  expect((await ask({ token: "undefined" })).status).toBe(401);
});

test("the bearer of the HTTP request itself counts too", async () => {
  const response = await raw({
    method: "POST",
    headers: { Authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ method: "POST", resource: status }),
  });
  expect(await response.json()).toMatchObject({ status: 200 });
});

test("ten failures lock an address out, also for the right token, and nobody else", async () => {
  for (let i = 0; i < 10; i++) await ask({ token: "wrong", peer: "192.0.2.7" });
  expect((await ask({ peer: "192.0.2.7", method: "POST" })).status).toBe(401);
  expect((await ask({ peer: "192.0.2.8", method: "POST" })).status).toBe(200);
  clock.advance(60_000);
  expect((await ask({ peer: "192.0.2.7", method: "POST" })).status).toBe(200);
});

test("a missing token is no failure, and success clears what failed before", async () => {
  for (let i = 0; i < 50; i++) await ask({ token: "" });
  expect((await ask({ method: "POST" })).status).toBe(200);
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 9; i++) await ask({ token: "wrong" });
    expect((await ask({ method: "POST" })).status).toBe(200);
  }
});

test("an unknown resource is named to those who may ask", async () => {
  expect(await ask({ resource: "/admin/nothing" })).toMatchObject({
    status: 404,
    error: "unknown resource: /admin/nothing",
  });
  expect((await ask({ resource: "/admin/nothing", token: "" })).status).toBe(401);
});

test.each([
  ["invalid", 400],
  ["notFound", 404],
  ["conflict", 409],
  ["refused", 403],
  ["notRunning", 503],
  ["unavailable", 503],
  ["failed", 500],
] as const)("fault %s is status %d", async (fault, code) => {
  outcome = () => Promise.reject(new OperationError(fault, "why"));
  expect(await ask({ method: "POST" })).toMatchObject({ status: code, error: "why" });
});

test("what is no request of ours is told in the envelope", async () => {
  const get = await raw({ method: "GET" });
  expect(await get.json()).toMatchObject({ status: 405, error: "only POST is accepted" });
  for (const body of ["", "{", "[]", '{"method":1}']) {
    const answer = await raw({ method: "POST", body });
    expect(await answer.json()).toMatchObject({ status: 400, error: "invalid JSON request body" });
  }
  const large = await raw({ method: "POST", body: " ".repeat(1024 * 1024 + 1) });
  expect(await large.json()).toMatchObject({ status: 413, error: "request body too large" });
});

test("a session is short, may do what its scope says, and ends", async () => {
  const opened = await ask({ resource: "/admin/session", method: "POST", body: { minutes: 5 } });
  expect(opened.status).toBe(201);
  const { token } = opened.body as { token: string };
  expect((await ask({ token, method: "POST" })).status).toBe(200);
  clock.advance(5 * 60_000);
  expect((await ask({ token, method: "POST" })).status).toBe(401);
});

test("a session that may only look changes nothing and opens nothing better", async () => {
  const opened = await ask({ resource: "/admin/session", method: "POST", body: { read_only: true } });
  const { token } = opened.body as { token: string };
  expect((await ask({ token, method: "POST" })).status).toBe(200);
  expect(calls.at(-1)).toEqual(["queue.status", {}, { face: "admin", scope: "read" }]);
  expect((await ask({ token, method: "POST", resource: "/admin/accounts" })).status).toBe(403);
  expect((await ask({ token, method: "POST", resource: "/admin/session" })).status).toBe(403);
  expect((await ask({ token, method: "DELETE", resource: "/admin/session" })).body).toEqual({ closed: true });
  expect((await ask({ token, method: "POST" })).status).toBe(401);
});

test("a login code opens one session, once, within a quarter of an hour", async () => {
  const redeem = (code: string) =>
    ask({ resource: "/admin/session", method: "POST", token: "", body: { code } });
  const code = sessions.newCode();
  const opened = await redeem(code);
  expect(opened.status).toBe(201);
  expect((await ask({ token: (opened.body as { token: string }).token, method: "POST" })).status).toBe(200);
  expect((await redeem(code)).status).toBe(401);
  const late = sessions.newCode();
  clock.advance(15 * 60_000);
  expect((await redeem(late)).status).toBe(401);
});

test("guessing codes locks out like guessing tokens", async () => {
  for (let i = 0; i < 10; i++) {
    await ask({ resource: "/admin/session", method: "POST", token: "", body: { code: `guess-${i}` } });
  }
  const code = sessions.newCode();
  const answer = await ask({ resource: "/admin/session", method: "POST", token: "", body: { code } });
  expect(answer.status).toBe(401);
});

test("sessions end when the operator's token is replaced", async () => {
  const { token } = sessions.open("full");
  sessions.closeAll();
  expect((await ask({ token, method: "POST" })).status).toBe(401);
});

test.each([
  ["https://panel.example", 204, "https://panel.example"],
  ["http://relay.test", 204, "http://relay.test"],
  ["https://evil.example", 403, null],
])("a preflight from %s gets %d", async (origin, code, allowed) => {
  const response = await raw({ method: "OPTIONS", headers: { origin, host: "relay.test" } });
  expect(response.status).toBe(code);
  expect(response.headers.get("access-control-allow-origin")).toBe(allowed);
});
