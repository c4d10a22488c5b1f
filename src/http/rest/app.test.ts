/** The REST API over real books and mailboxes, without a port: every endpoint, the workflows, and who is kept out. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Hono } from "hono";
import { House } from "../../operations/accounts.test-help.ts";
import { createRestApp } from "./app.ts";
import { restRoutes } from "./routes.ts";
import { readRestSettings, type RestSettings } from "./settings.ts";

const env = {
  ENABLE_API: "true",
  ADMIN_EMAIL: "root@relay.test",
  ADMIN_PASSWORD: "secret",
  REQUESTS_PER_SECOND: "1000",
};
const login = `Basic ${btoa("root@relay.test:secret")}`;

let house: House;
let app: Hono;

beforeEach(async () => {
  house = await House.open();
  app = appWith();
});
afterEach(() => house.dispose());

function appWith(more: Record<string, string> = {}): Hono {
  const settings = readRestSettings({ ...env, ...more }) as RestSettings;
  return createRestApp({
    settings,
    routes: restRoutes,
    operations: house.operator,
    peerAddress: () => "192.0.2.1",
    clock: house.clock,
    log: { emit: () => undefined, counts: () => new Map() },
  });
}

interface Answer {
  status: number;
  body: unknown;
  headers: Headers;
}

async function ask(method: string, path: string, body?: unknown, headers: HeadersInit = {}): Promise<Answer> {
  const response = await app.request(path, {
    method,
    headers: {
      Authorization: login,
      "Content-Type": "application/json",
      ...Object.fromEntries(new Headers(headers)),
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  let parsed: unknown = text;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Not every answer is JSON.
  }
  return { status: response.status, body: parsed, headers: response.headers };
}

describe("settings of the environment", () => {
  test("are off unless asked for, and say what they lack", () => {
    expect(readRestSettings({})).toBeUndefined();
    expect(readRestSettings({ ENABLE_API: "1" })).toBeUndefined();
    expect(() => readRestSettings({ ENABLE_API: "true", ADMIN_EMAIL: "a@b" })).toThrow("ADMIN_PASSWORD");
  });

  test("take the default for a rate that is no number", () => {
    expect(readRestSettings({ ...env, REQUESTS_PER_SECOND: "many" })?.requestsPerSecond).toBe(3);
    expect(readRestSettings({ ...env, USE_COOKIES: "false" })?.checkCookies).toBe(false);
  });
});

describe("the doors", () => {
  test("what says that it lives needs no login", async () => {
    for (const path of ["/", "/version", "/openapi.json"]) {
      expect((await app.request(path)).status).toBe(200);
    }
    expect(await (await app.request("/")).json()).toBe("OK");
  });

  test.each([
    ["nothing", undefined],
    ["a wrong password", `Basic ${btoa("root@relay.test:wrong")}`],
    ["a wrong name", `Basic ${btoa("else@relay.test:secret")}`],
    ["no colon", `Basic ${btoa("secret")}`],
    ["another scheme", "Bearer secret"],
    ["no base64", "Basic %%%"],
  ])("%s gets 401 and is asked to log in", async (_, header) => {
    const response = await app.request(
      "/v1/users",
      header === undefined ? {} : { headers: { Authorization: header } },
    );
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe("basic realm=Restricted");
    expect(await response.json()).toMatchObject({ message: "Unauthorized" });
  });

  test("too many requests from one address are told to wait, on every path", async () => {
    app = appWith({ REQUESTS_PER_SECOND: "2" });
    expect((await ask("GET", "/")).status).toBe(200);
    expect((await ask("GET", "/v1/users")).status).toBe(200);
    const third = await ask("GET", "/version");
    expect(third).toMatchObject({ status: 429, body: "You have reached maximum request limit." });
    expect(third.headers.get("retry-after")).toBe("1");
    house.clock.advance(1000);
    expect((await ask("GET", "/")).status).toBe(200);
  });

  test("headers that browsers obey are on every answer", async () => {
    app = appWith({ CONTENT_SECURITY_POLICY: "default-src 'none'" });
    const { headers } = await ask("GET", "/");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("strict-transport-security")).toBe("max-age=5184000; includeSubDomains");
    expect(headers.get("content-security-policy")).toBe("default-src 'none'");
  });

  test("a request keeps its id, and gets one where it has none that can be one", async () => {
    expect((await ask("GET", "/", undefined, { "X-Request-Id": "abc-1" })).headers.get("x-request-id")).toBe(
      "abc-1",
    );
    const { headers } = await ask("GET", "/", undefined, { "X-Request-Id": "x".repeat(500) });
    expect(headers.get("x-request-id")).toMatch(/^[\w-]{20}$/);
  });

  test("credentials go to named origins only", async () => {
    const everywhere = await ask("GET", "/", undefined, { Origin: "https://a.test" });
    expect(everywhere.headers.get("access-control-allow-origin")).toBe("*");
    expect(everywhere.headers.get("access-control-allow-credentials")).toBeNull();
    app = appWith({ CORS_ALLOW_ORIGINS: "https://a.test, https://b.test" });
    const named = await ask("GET", "/", undefined, { Origin: "https://b.test" });
    expect(named.headers.get("access-control-allow-origin")).toBe("https://b.test");
    expect(named.headers.get("access-control-allow-credentials")).toBe("true");
    const other = await ask("GET", "/", undefined, { Origin: "https://c.test" });
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("with cookies, a change must show the cookie's value", async () => {
    app = appWith({ USE_COOKIES: "true", FQDN: "relay.test" });
    const first = await ask("GET", "/");
    const cookie = first.headers.get("set-cookie") ?? "";
    expect(cookie).toContain("Domain=relay.test");
    expect(cookie).toContain("HttpOnly");
    const value = /_csrf=([^;]+)/.exec(cookie)?.[1] ?? "";
    expect(value).toHaveLength(32);
    const user = { username: "a@relay.test" };
    expect((await ask("POST", "/v1/users", user)).status).toBe(403);
    expect((await ask("POST", "/v1/users", user, { Cookie: `_csrf=${value}` })).status).toBe(403);
    const shown = { Cookie: `_csrf=${value}`, "X-CSRF-Token": value };
    expect((await ask("POST", "/v1/users", user, shown)).status).toBe(201);
  });

  test("what is not there is a problem in words", async () => {
    expect(await ask("GET", "/v1/nothing")).toMatchObject({ status: 404, body: { message: "Not Found" } });
    expect((await ask("PATCH", "/v1/users")).status).toBe(404);
  });
});

describe("users", () => {
  test("are made, listed, seen, given another password, taken away", async () => {
    const made = await ask("POST", "/v1/users", {
      username: "Alice@Relay.test",
      password: "password-1",
      createMailboxes: false,
    });
    expect(made).toMatchObject({ status: 201, body: "" });
    await ask("POST", "/v1/users", { username: "bob@two.test", password: "password-2" });
    expect((await ask("GET", "/v1/users")).body).toEqual(["alice@relay.test", "bob@two.test"]);
    expect((await ask("GET", "/v1/users?domain=two.test")).body).toEqual(["bob@two.test"]);
    expect((await ask("GET", "/v1/users?domain=none.test")).body).toEqual([]);
    expect((await ask("GET", "/v1/users/alice@relay.test")).body).toEqual({ username: "alice@relay.test" });
    const before = house.state.accounts.entries().next().value?.[1].hash;
    expect(
      (await ask("POST", "/v1/users/alice@relay.test/password", { password: "password-3" })).status,
    ).toBe(200);
    expect(house.state.accounts.entries().next().value?.[1].hash).not.toBe(before);
    expect(house.revoked).toContain("passwordChanged alice@relay.test");
    expect((await ask("DELETE", "/v1/users/alice@relay.test")).status).toBe(200);
    expect(await ask("GET", "/v1/users/alice@relay.test")).toMatchObject({ status: 404, body: "" });
  });

  test.each([
    ["no JSON", "{", 400],
    ["no username", {}, 400],
    ["no address", { username: "alice" }, 400],
    ["two @", { username: "a@b@relay.test" }, 400],
    ["a foreign domain", { username: "a@else.test" }, 400],
    ["a password too short", { username: "a@relay.test", password: "x" }, 400],
  ])("%s is refused in words", async (_, body, status) => {
    const answer = await ask("POST", "/v1/users", body);
    expect(answer.status).toBe(status);
    expect((answer.body as { message: string }).message).not.toBe("");
    expect(house.state.accounts.size).toBe(0);
  });

  test("a name that is taken is a conflict", async () => {
    house.account("alice");
    expect((await ask("POST", "/v1/users", { username: "alice@relay.test" })).status).toBe(409);
  });

  test("without a password nobody can log in, and the hash is not empty", async () => {
    await ask("POST", "/v1/users", { username: "alice@relay.test" });
    expect(house.state.accounts.entries().next().value?.[1].hash).toMatch(/^\$argon2id\$/);
  });

  test("who is not there gets neither password nor end", async () => {
    expect((await ask("POST", "/v1/users/no@relay.test/password", { password: "password-1" })).status).toBe(
      404,
    );
    expect((await ask("POST", "/v1/users/no@relay.test/password", {})).status).toBe(400);
    expect((await ask("DELETE", "/v1/users/no@relay.test")).status).toBe(404);
  });
});

describe("workflows", () => {
  const alice = "alice@relay.test";
  const special = ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"];
  const names = async () => {
    const { body } = await ask("GET", `/v1/users/${alice}/quota`);
    return (body as { mailboxes?: { name: string }[] }).mailboxes?.map(({ name }) => name).sort();
  };

  test("A: a login alone has no mailboxes", async () => {
    await ask("POST", "/v1/users", { username: alice, createMailboxes: false });
    expect(await ask("GET", `/v1/users/${alice}/quota`)).toMatchObject({ status: 404, body: "" });
  });

  test("B: a login with mailboxes has the special ones", async () => {
    expect((await ask("POST", "/v1/users", { username: alice, createMailboxes: true })).status).toBe(201);
    expect(await names()).toEqual([...special].sort());
  });

  test("C: mailboxes come later, or without a login, but not twice", async () => {
    expect((await ask("POST", `/v1/users/${alice}/mailboxes`)).status).toBe(201);
    expect((await ask("POST", `/v1/users/${alice}/mailboxes`)).status).toBe(409);
    expect((await ask("GET", `/v1/users/${alice}`)).status).toBe(404);
    await ask("POST", "/v1/users", { username: alice });
    expect(await names()).toEqual([...special].sort());
  });

  test("D: a login goes and its mail stays, until it is asked for", async () => {
    await ask("POST", "/v1/users", { username: alice, createMailboxes: true });
    await house.mail(house.account("bob"));
    await ask("DELETE", `/v1/users/${alice}?delete_mailbox=yes`);
    expect(await names()).toEqual([...special].sort());
    expect((await ask("POST", "/v1/users", { username: alice })).status).toBe(201);
    await ask("DELETE", `/v1/users/${alice}?delete_mailbox=true`);
    expect(await names()).toBeUndefined();
  });

  test("mailboxes go and the login stays", async () => {
    await ask("POST", "/v1/users", { username: alice, createMailboxes: true });
    expect((await ask("DELETE", `/v1/users/${alice}/mailboxes`)).status).toBe(200);
    expect((await ask("DELETE", `/v1/users/${alice}/mailboxes`)).status).toBe(404);
    expect((await ask("GET", `/v1/users/${alice}`)).status).toBe(200);
  });
});

describe("quotas", () => {
  test("a user's own word beats the domain's, also when it is unlimited", async () => {
    const alice = house.account("alice");
    await house.mail(alice);
    const quota = async () => (await ask("GET", `/v1/users/${alice}/quota`)).body as Record<string, unknown>;
    expect(await quota()).toMatchObject({ username: alice, quotaSource: "default" });
    expect((await ask("PUT", "/v1/domains/relay.test/quota", { quotaBytes: 5000 })).status).toBe(200);
    expect(await quota()).toMatchObject({ quotaBytes: 5000, quotaSource: "domain" });
    await ask("PUT", `/v1/users/${alice}/quota`, { quotaBytes: 0 });
    expect(await quota()).toMatchObject({ quotaBytes: 0, quotaSource: "user" });
    await ask("DELETE", `/v1/users/${alice}/quota`);
    expect(await quota()).toMatchObject({ quotaBytes: 5000, quotaSource: "domain" });
    await ask("DELETE", "/v1/domains/relay.test/quota");
    expect(await quota()).toMatchObject({ quotaSource: "default" });
    const { mailboxes, usedBytes } = await quota();
    expect(mailboxes).toMatchObject([{ name: "INBOX", messageCount: 1, usedBytes }]);
  });

  test("a domain tells its users, and one that nobody has is empty", async () => {
    const alice = house.account("alice");
    await house.mail(alice);
    await ask("PUT", `/v1/users/${alice}/quota`, { quotaBytes: 7 });
    const { body } = await ask("GET", "/v1/domains/relay.test/quota");
    expect(body).toMatchObject({
      domain: "relay.test",
      quotaBytes: 0,
      userCount: 1,
      users: [{ username: alice, quotaOverride: 7 }],
    });
    expect((await ask("GET", "/v1/domains/none.test/quota")).body).toEqual({
      domain: "none.test",
      usedBytes: 0,
      quotaBytes: 0,
      userCount: 0,
      users: [],
    });
  });

  test.each([-1, 1.5, "10", null, undefined])("a quota of %p is refused", async (quotaBytes) => {
    const alice = house.account("alice");
    await house.mail(alice);
    expect((await ask("PUT", `/v1/users/${alice}/quota`, { quotaBytes })).status).toBe(400);
    expect((await ask("PUT", "/v1/domains/relay.test/quota", { quotaBytes })).status).toBe(400);
  });

  test("who has no mailboxes has no quota to see or set", async () => {
    const alice = house.account("alice");
    expect((await ask("GET", `/v1/users/${alice}/quota`)).status).toBe(404);
    expect((await ask("PUT", `/v1/users/${alice}/quota`, { quotaBytes: 1 })).status).toBe(404);
  });
});

test("the OpenAPI document describes every endpoint", async () => {
  const document = (await ask("GET", "/openapi.json")).body as {
    paths: Record<string, Record<string, unknown>>;
  };
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(described.sort()).toEqual(
    restRoutes.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`).sort(),
  );
  expect(JSON.stringify(document)).toContain('"quotaBytes"');
});
