import { expect, test } from "bun:test";
import { Hono } from "hono";
import { addAcmeChallenge } from "./acme-challenge.ts";

const app = new Hono();
addAcmeChallenge(app, (host, token) => (host === "a.example" ? `${token}.thumb` : undefined));
const get = (path: string, host = "a.example") =>
  app.request(`http://a.example/.well-known/acme-challenge/${path}`, { headers: { Host: host } });

test("a proof is its bytes and nothing else, and no cache keeps it", async () => {
  const response = await get("Abc_-9");
  expect([response.status, await response.text()]).toEqual([200, "Abc_-9.thumb"]);
  expect(response.headers.get("content-type")).toBe("application/octet-stream");
  expect(response.headers.get("cache-control")).toBe("no-store");
});

test("other hosts and what can be no token get 404", async () => {
  for (const response of [
    await get("Abc", "b.example"),
    await get("a.b"),
    await get("a%2Fb"),
    await get("x".repeat(300)),
  ]) {
    expect(response.status).toBe(404);
  }
});
