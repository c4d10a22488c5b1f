import { expect, test } from "bun:test";
import { parseAddress, parseDomain } from "../core/address.ts";
import { ManualClock } from "../core/clock.ts";
import type { Event } from "../log/events.ts";
import { type AppParts, createApp } from "./app.ts";
import type { SiteFacts } from "./facts.ts";
import type { Registration, RegistrationRefusal } from "./new.ts";

type Made = Awaited<ReturnType<Registration["createAccount"]>>;

interface World {
  get(path: string, init?: RequestInit): Promise<Response>;
  facts: SiteFacts;
  tokens: (string | undefined)[];
  status: "open" | "tokenRequired" | "closed";
  made: Made | (() => Promise<Made>);
  clock: ManualClock;
  events: Event[];
  peer: string;
}

function world(over: Partial<SiteFacts> = {}): World {
  const domain = parseDomain("relay.test");
  const address = parseAddress("abcdefgh@relay.test");
  if (domain === undefined || address === undefined) throw new Error("fixture");
  const clock = new ManualClock();
  const w: World = {
    facts: {
      domain,
      host: "relay.test",
      ports: { imaps: 993, imap: 143, submissions: 465, submission: 587, https: 443 },
      trusted: false,
      messageMaxBytes: 30 * 2 ** 20,
      quotaBytes: 2 ** 30,
      sharing: false,
      download: false,
      ...over,
    },
    tokens: [],
    status: "open",
    made: { ok: true, address, password: "p@ss<word" },
    clock,
    events: [],
    peer: "192.0.2.9",
    get: async (path, init) => await app.request(`http://relay.test${path}`, init),
  };
  const parts: AppParts = {
    facts: () => w.facts,
    registration: {
      status: () => w.status,
      createAccount: async ({ token }) => {
        w.tokens.push(token);
        return typeof w.made === "function" ? await w.made() : w.made;
      },
    },
    wellKnown: {
      stsHost: () => (w.facts.trusted ? w.facts.host : undefined),
      domainKey: (selector) => (selector === "default" ? "v=DKIM1; k=rsa; p=AA" : undefined),
      securityContact: () => w.facts.securityContact,
      nowMs: () => clock.nowMs(),
    },
    newRate: () => ({ perMinute: 120, burst: 5 }),
    contacts: { find: () => undefined, add: () => "full" },
    jitEnabled: () => true,
    wwwDir: () => undefined,
    program: undefined,
    peerAddress: () => w.peer,
    corsOrigins: () => ["https://app.example"],
    isSecure: () => true,
    clock,
    log: { emit: (event) => void w.events.push(event), counts: () => new Map() },
  };
  const app = createApp(parts);
  return w;
}

const html = { headers: { accept: "text/html,application/xhtml+xml" } };
const post = { method: "POST" };
const LINK =
  "dclogin:abcdefgh@relay.test/?p=p%40ss%3Cword&v=1&ih=relay.test&ip=993&is=ssl&sh=relay.test&sp=465&ss=ssl&ic=3";

const origins: [origin: string, allowed: string | null, preflight: number][] = [
  ["https://app.example", "https://app.example", 204],
  ["https://evil.example", null, 403],
  ["null", null, 403],
];
test.each(origins)("pages of %s see /new as far as they may", async (origin, allowed, preflight) => {
  const w = world();
  const headers = { origin };
  const before = await w.get("/new", { method: "OPTIONS", headers });
  const after = await w.get("/new", { ...post, headers });
  expect([before.status, after.status]).toEqual([preflight, 200]);
  for (const answer of [before, after]) {
    expect(answer.headers.get("access-control-allow-origin")).toBe(allowed);
    expect(answer.headers.get("vary")).toBe("Origin");
  }
});

test("POST /new answers what clients and scripts read", async () => {
  const w = world();
  const answer = await w.get("/new", post);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toStartWith("application/json");
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(await answer.json()).toEqual({
    email: "abcdefgh@relay.test",
    password: "p@ss<word",
    dclogin_url: LINK,
  });
});

test("POST /new by a form shows a page with link and code", async () => {
  const w = world();
  const answer = await w.get("/new", { ...post, ...html });
  const text = await answer.text();
  expect(text).toContain(`href="${LINK.replaceAll("&", "&amp;")}"`);
  expect(text).toContain("p@ss&lt;word");
  expect(text).toContain('<svg class="code" role="img"');
  expect(answer.headers.get("cache-control")).toBe("no-store");
});

const tokenRows: readonly [name: string, path: string, init: RequestInit, want: string | undefined][] = [
  ["the query", "/new?token=%20abc%20", {}, "abc"],
  [
    "a JSON body",
    "/new",
    { headers: { "content-type": "application/json" }, body: '{"token":"abc"}' },
    "abc",
  ],
  [
    "a JSON body without one",
    "/new",
    { headers: { "content-type": "application/json" }, body: "{}" },
    undefined,
  ],
  [
    "a form",
    "/new",
    { headers: { "content-type": "application/x-www-form-urlencoded" }, body: "token=a%2Bc" },
    "a+c",
  ],
  ["an empty query", "/new?token=", {}, undefined],
  ["a body of another type", "/new", { headers: { "content-type": "text/plain" }, body: "abc" }, undefined],
];
for (const [name, path, init, want] of tokenRows) {
  test(`POST /new takes the token from ${name}`, async () => {
    const w = world();
    expect((await w.get(path, { ...post, ...init })).status).toBe(200);
    expect(w.tokens).toEqual([want]);
  });
}

const refusalRows: readonly [why: RegistrationRefusal, status: number, text: string][] = [
  ["closed", 403, "Registration is closed"],
  ["tokenRequired", 403, "Registration token is required"],
  ["tokenUnknown", 403, "Invalid registration token: registration token not found"],
  ["tokenExpired", 403, "Invalid registration token: registration token has expired"],
  ["tokenUsedUp", 403, "Invalid registration token: registration token has been fully used"],
  ["unavailable", 503, "No account can be made right now, please try again later"],
];
for (const [why, status, text] of refusalRows) {
  test(`POST /new says ${why} with ${status}`, async () => {
    const w = world();
    w.made = { ok: false, why };
    const answer = await w.get("/new", post);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toEqual({ reason: text, error: text });
    const shown = await w.get("/new", { ...post, ...html });
    expect(shown.status).toBe(status);
    expect(await shown.text()).toContain(text);
  });
}

const badRows: readonly [name: string, init: RequestInit, status: number][] = [
  ["broken JSON", { headers: { "content-type": "application/json" }, body: "{" }, 400],
  ["JSON that is no object", { headers: { "content-type": "application/json" }, body: "7" }, 400],
  ["a token that is no text", { headers: { "content-type": "application/json" }, body: '{"token":7}' }, 400],
  ["a body announced too large", { headers: { "content-length": "9999999" }, body: "x" }, 413],
  ["a body that turns out too large", { body: "x".repeat(5000) }, 413],
];
for (const [name, init, status] of badRows) {
  test(`POST /new answers ${name} with ${status} and makes nothing`, async () => {
    const w = world();
    const answer = await w.get("/new", { ...post, ...init });
    expect(answer.status).toBe(status);
    expect(Object.keys((await answer.json()) as object)).toEqual(["reason", "error"]);
    expect(w.tokens).toEqual([]);
  });
}

test("a body without end is read no further than its cap", async () => {
  const w = world();
  let pulled = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled++;
      controller.enqueue(new Uint8Array(1024));
    },
  });
  expect((await w.get("/new", { ...post, body })).status).toBe(413);
  expect(pulled).toBeLessThan(20);
});

test("POST /new is limited by network: five at once, then two a second", async () => {
  const w = world();
  const burst = await Promise.all(Array.from({ length: 6 }, () => w.get("/new", post)));
  expect(burst.map((answer) => answer.status)).toEqual([200, 200, 200, 200, 200, 429]);
  expect(burst[5]?.headers.get("retry-after")).toBe("1");
  expect(w.tokens).toHaveLength(5);
  w.peer = "2001:db8::1";
  expect((await w.get("/new", post)).status).toBe(200);
  w.peer = "192.0.2.9";
  w.clock.advance(500);
  expect((await w.get("/new", post)).status).toBe(200);
  expect((await w.get("/new", post)).status).toBe(429);
});

test("one IPv6 /64 is one network", async () => {
  const w = world();
  const statuses: number[] = [];
  for (let i = 0; i < 6; i++) {
    w.peer = `2001:db8::${i}`;
    statuses.push((await w.get("/new", post)).status);
  }
  expect(statuses.at(-1)).toBe(429);
});

test("GET /new leads clients to the account page when the certificate is trusted", async () => {
  const w = world({ trusted: true });
  const answer = await w.get("/new?token=abc");
  expect(answer.status).toBe(302);
  expect(answer.headers.get("location")).toBe("dcaccount:https://relay.test/new?token=abc");
  expect(w.tokens).toEqual([]);
});

test("GET /new otherwise shows the form and creates nothing", async () => {
  const w = world();
  const answer = await w.get("/new");
  expect(answer.status).toBe(200);
  expect(await answer.text()).toContain('method="post" action="/new"');
  expect(w.tokens).toEqual([]);
});

const offerRows: readonly [
  name: string,
  over: { trusted: boolean; status: World["status"]; path: string },
  want: string,
  not: string,
][] = [
  [
    "a link and a code when the certificate is trusted",
    { trusted: true, status: "open", path: "/" },
    'href="dcaccount:https://relay.test/new"',
    "<form",
  ],
  [
    "a form when it is not",
    { trusted: false, status: "open", path: "/" },
    'method="post" action="/new"',
    "dcaccount:",
  ],
  ["a closed notice", { trusted: true, status: "closed", path: "/" }, "Registration is closed", "dcaccount:"],
  [
    "an invited guest the way in though closed",
    { trusted: true, status: "closed", path: "/?token=abc" },
    "dcaccount:https://relay.test/new?token=abc",
    "Registration is closed",
  ],
  [
    "a field for the token, leading back here",
    { trusted: true, status: "tokenRequired", path: "/" },
    'method="get" action="/"',
    "dcaccount:",
  ],
  [
    "a field for the token, leading to the account",
    { trusted: false, status: "tokenRequired", path: "/" },
    'method="post" action="/new"',
    "dcaccount:",
  ],
  [
    "the given token in the form",
    { trusted: false, status: "tokenRequired", path: "/?token=%22%3Eabc" },
    'name="token" value="&quot;&gt;abc"',
    'value="">abc',
  ],
];
for (const [name, { trusted, status, path }, want, not] of offerRows) {
  test(`the start page shows ${name}`, async () => {
    const w = world({ trusted });
    w.status = status;
    const text = await (await w.get(path)).text();
    expect(text).toContain(want);
    expect(text).not.toContain(not);
    expect(w.tokens).toEqual([]);
  });
}

test("the start page is complete, free of inline scripts, and loads nothing from elsewhere", async () => {
  const w = world({ trusted: true });
  const answer = await w.get("/");
  expect(answer.headers.get("content-type")).toBe("text/html; charset=UTF-8");
  const text = await answer.text();
  expect(text).toStartWith('<!doctype html><html lang="en" dir="ltr">');
  expect(text).not.toMatch(/<script[^>]*>[^<]|\son\w+=|\sstyle=/);
  expect([...text.matchAll(/\ssrc="([^"]*)"/g)].map((m) => m[1])).toEqual([
    expect.stringMatching(/^\/site\.[0-9a-f]{10}\.js$/),
    "/favicon.svg",
  ]);
  expect([...text.matchAll(/<link[^>]*href="([^"]*)"/g)].map((m) => m[1])).toEqual(["/favicon.svg"]);
  expect(text).toContain("30 MB");
  expect(text).toContain("1 GB");
});

test("the policy names the style sheet as it stands in the page", async () => {
  const w = world();
  const answer = await w.get("/");
  const style = /<style>([\s\S]*?)<\/style>/.exec(await answer.text())?.[1] ?? "";
  const hash = new Bun.CryptoHasher("sha256").update(style).digest("base64");
  expect(style).toContain("prefers-color-scheme:dark");
  expect(answer.headers.get("content-security-policy")).toContain(`style-src 'sha256-${hash}'`);
});

for (const path of ["/", "/new", "/robots.txt", "/favicon.svg", "/nothing"]) {
  test(`${path} carries the security headers`, async () => {
    const { headers } = await world().get(path);
    expect(headers.get("content-security-policy")).toStartWith("default-src 'none'");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
  });
}

test("a faulty registration is an internal fault, told without detail", async () => {
  const w = world();
  w.made = () => Promise.reject(new Error("secret detail"));
  const answer = await w.get("/new", post);
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain("secret");
  expect(w.events.map((event) => event.kind)).toEqual(["internalFault"]);
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
});

const methodRows: readonly [method: string, path: string, status: number, allow: string | null][] = [
  ["HEAD", "/", 200, null],
  ["HEAD", "/robots.txt", 200, null],
  ["HEAD", "/nothing", 404, null],
  ["POST", "/", 405, "GET, HEAD"],
  ["DELETE", "/new", 405, "GET, HEAD, POST"],
  ["PUT", "/robots.txt", 405, "GET, HEAD"],
  ["POST", "/.well-known/autoconfig/mail/config-v1.1.xml", 405, "GET, HEAD"],
  ["GET", "/healthz", 404, null],
];
for (const [method, path, status, allow] of methodRows) {
  test(`${method} ${path} answers ${status}`, async () => {
    const answer = await world().get(path, { method });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("allow")).toBe(allow);
    if (method === "HEAD") expect(await answer.text()).toBe("");
  });
}

test("HEAD /new creates nothing", async () => {
  const w = world();
  expect((await w.get("/new", { method: "HEAD" })).status).toBe(200);
  expect(w.tokens).toEqual([]);
});

test("errors are pages for browsers and text for others", async () => {
  const w = world();
  expect((await w.get("/nothing", html)).headers.get("content-type")).toStartWith("text/html");
  expect((await w.get("/nothing")).headers.get("content-type")).toStartWith("text/plain");
});

test("autoconfig lists what listens, in the order clients should try", async () => {
  const w = world();
  const answer = await w.get("/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=a%40relay.test");
  expect(answer.headers.get("content-type")).toBe("application/xml; charset=utf-8");
  const xml = await answer.text();
  const servers = [
    ...xml.matchAll(/<(in|out)\w+ type="(\w+)">[\s\S]*?<port>(\d+)<[\s\S]*?<socketType>(\w+)</g),
  ];
  expect(servers.map(([, , type, port, socket]) => `${type} ${port} ${socket}`)).toEqual([
    "imap 993 SSL",
    "imap 143 STARTTLS",
    "imap 443 SSL",
    "smtp 465 SSL",
    "smtp 587 STARTTLS",
    "smtp 443 SSL",
  ]);
  expect(xml).toContain("<username>%EMAILADDRESS%</username>");
  w.facts = { ...w.facts, ports: { imap: 1143, submission: 1587 } };
  const less = await (await w.get("/.well-known/autoconfig/mail/config-v1.1.xml")).text();
  expect([...less.matchAll(/<port>(\d+)</g)].map((m) => m[1])).toEqual(["1143", "1587"]);
});

test("autoconfig of an IP relay names it without brackets", async () => {
  const domain = parseDomain("192.0.2.1");
  if (domain === undefined) throw new Error("fixture");
  const xml = await (await world({ domain, host: "192.0.2.1" }).get("/mail/config-v1.1.xml")).text();
  expect(xml).toContain("<domain>192.0.2.1</domain>");
  expect(xml).not.toContain("[");
});

test("the MTA-STS policy is served while the certificate is trusted", async () => {
  const response = await world({ trusted: true }).get("/.well-known/mta-sts.txt");
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(await response.text()).toBe(
    "version: STSv1\r\nmode: enforce\r\nmx: relay.test\r\nmax_age: 2419200\r\n",
  );
  expect((await world().get("/.well-known/mta-sts.txt")).status).toBe(404);
});

for (const [path, status] of [
  ["default", 200],
  ["DEFAULT", 200],
  ["other", 404],
  ["", 400],
  ["a%20b", 400],
  ["a".repeat(65), 400],
] as const) {
  test(`a DKIM key record at _domainkey/${path.slice(0, 10)}: ${status}`, async () => {
    const response = await world().get(`/.well-known/_domainkey/${path}`);
    expect(response.status).toBe(status);
    if (status !== 200) return;
    expect(await response.text()).toBe("v=DKIM1; k=rsa; p=AA\n");
    expect(response.headers.get("cache-control")).toBe("public, max-age=86400");
  });
}

test("the start page shows the proxy where there is one for everybody", async () => {
  const link = "ss://YWVzLTEyOC1nY206cHc@relay.test:8388#relay.test";
  const shown = await world({ proxyLink: link }).get("/");
  const page = await shown.text();
  expect(page).toContain(`href="${link}"`);
  expect(page).toContain("QR code of the proxy");
  expect(await (await world().get("/")).text()).not.toContain("ss://");
});

for (const [path, lang, dir] of [
  ["/fa", "fa", "rtl"],
  ["/ru/info", "ru", "ltr"],
  ["/es/", "es", "ltr"],
] as const) {
  test(`${path} is in ${lang}, and so are its links`, async () => {
    const text = await (await world().get(path, { headers: { "accept-language": "en" } })).text();
    expect(text).toContain(`<html lang="${lang}" dir="${dir}">`);
    expect(text).toContain(`href="/${lang}/privacy"`);
    expect(text).toContain(`action="/${lang}/new"`.slice(0, path.includes("info") ? 0 : undefined));
  });
}

const languageRows: readonly [accept: string | undefined, operator: SiteFacts["language"], want: string][] = [
  ["ru-RU,ru;q=0.9,en;q=0.8", undefined, "ru"],
  ["de, es;q=0.3, fa;q=0.7", undefined, "fa"],
  ["de", undefined, "en"],
  ["rust, x;q=nan", undefined, "en"],
  [undefined, undefined, "en"],
  ["ru", "es", "es"],
];
for (const [accept, operator, want] of languageRows) {
  test(`a browser that wants ${accept} on a relay that says ${operator} gets ${want}`, async () => {
    const w = world({ language: operator });
    const answer = await w.get("/", accept === undefined ? {} : { headers: { "accept-language": accept } });
    expect(await answer.text()).toContain(`<html lang="${want}"`);
    expect(answer.headers.get("vary")).toContain("Accept-Language");
  });
}

test("an invitation link offers the account, kept by no cache and no search engine", async () => {
  const w = world({ trusted: true });
  w.status = "closed";
  const answer = await w.get("/inv/abc");
  expect(answer.headers.get("cache-control")).toBe("no-store");
  const text = await answer.text();
  expect(text).toContain("dcaccount:https://relay.test/new?token=abc");
  expect(text).toContain('content="noindex"');
});

test("former addresses of pages lead to the new ones", async () => {
  const answer = await world().get("/info.html");
  expect([answer.status, answer.headers.get("location")]).toEqual([301, "/info"]);
});

test("security.txt names the contact and expires within a year", async () => {
  const w = world({ securityContact: "mailto:a@relay.test" });
  const text = await (await w.get("/.well-known/security.txt")).text();
  expect(text).toStartWith("Contact: mailto:a@relay.test\nExpires: ");
  const expires = Date.parse(/Expires: (.*)/.exec(text)?.[1] ?? "");
  expect(expires - w.clock.nowMs()).toBeWithin(170 * 86_400_000, 365 * 86_400_000);
  expect((await world().get("/.well-known/security.txt")).status).toBe(404);
});

test("every page says the same of the relay in every language", async () => {
  const w = world({ retentionDays: 20, trusted: true });
  for (const language of ["en", "ru", "es"]) {
    expect(await (await w.get(`/${language}/info`)).text()).toMatch(/30 (MB|МБ)[\s\S]*1 (GB|ГБ)[\s\S]*20/);
  }
  expect(await (await w.get("/fa/info")).text()).toMatch(/۳۰ مگابایت[\s\S]*۱ گیگابایت[\s\S]*۲۰ روز/);
});
