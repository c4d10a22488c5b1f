import { afterAll, describe, expect, test } from "bun:test";
import { createTransport, retryAfter } from "./acme-transport.ts";

const NOW_MS = Date.parse("2026-11-22T12:00:00Z");
const stop = new AbortController();
const dates: number[] = [];
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request) {
    const [, status, type, retry] = new URL(request.url).pathname.split("/");
    if (status === "long") return new Response(Buffer.alloc(300 * 1024));
    if (status === "html") return new Response("<h1>Bad gateway</h1>", { status: 502 });
    if (status === "silent") return new Promise<Response>(() => {});
    const body = { type: `urn:ietf:params:acme:error:${type}`, detail: "because" };
    return new Response(JSON.stringify(body), {
      status: Number(status),
      headers: {
        "Content-Type": "application/problem+json",
        Date: "Sun, 22 Nov 2026 12:00:01 GMT",
        ...(retry === undefined ? {} : { "Retry-After": retry }),
      },
    });
  },
});
afterAll(() => server.stop(true));

const transport = createTransport({
  userAgent: "test",
  nowMs: () => NOW_MS,
  onDate: (theirsMs, oursMs) => dates.push(theirsMs - oursMs),
  stop: stop.signal,
});
const ask = (path: string) => transport(`${server.url.origin}/${path}`, "get");
const failure = (path: string) =>
  ask(path).then(
    () => "no failure",
    (error: unknown) => error,
  );

describe("an answer", () => {
  for (const [path, why, retryAfterMs] of [
    ["429/rateLimited/3600", "rateLimited", 3_600_000],
    ["403/rateLimited", "rateLimited", undefined],
    ["503/serverInternal/60", "rateLimited", 60_000],
    ["503/serverInternal", "unreachable", undefined],
    ["500/serverInternal", "unreachable", undefined],
    ["403/unauthorized", "refused", undefined],
    ["html", "unreachable", undefined],
    ["long", "unreachable", undefined],
  ] as const) {
    test(`${path} is ${why}`, async () => {
      const error = await failure(path);
      expect(error).toMatchObject({ facts: { why } });
      if (retryAfterMs !== undefined) expect(error).toMatchObject({ facts: { retryAfterMs } });
      else expect(error).not.toHaveProperty("facts.retryAfterMs");
    });
  }

  test("about an old nonce goes back to the library, which asks again with the new one", async () => {
    expect(await ask("400/badNonce")).toMatchObject({ status: 400 });
  });

  test("tells the authority's time", async () => {
    dates.length = 0;
    await failure("403/unauthorized");
    expect(dates).toEqual([1000]);
  });

  test("that never comes ends with the relay", async () => {
    const pending = failure("silent");
    stop.abort();
    expect(await pending).toMatchObject({ facts: { why: "unreachable" } });
  });
});

test("Retry-After is seconds or a date, and nothing else", () => {
  const cases: [string | undefined, number | undefined][] = [
    ["120", 120_000],
    ["Sun, 22 Nov 2026 13:00:00 GMT", 3_600_000],
    ["Sun, 22 Nov 2026 11:00:00 GMT", undefined],
    ["soon", undefined],
    ["0", undefined],
    [undefined, undefined],
  ];
  for (const [header, want] of cases) expect(retryAfter(header, NOW_MS)).toBe(want);
});
