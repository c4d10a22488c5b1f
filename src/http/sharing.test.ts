import { expect, test } from "bun:test";
import { Hono } from "hono";
import { parseDomain } from "../core/address.ts";
import { ManualClock } from "../core/clock.ts";
import type { SiteFacts } from "./facts.ts";
import { addSharing, type SharedContact } from "./sharing.ts";

const FP = "0123456789ABCDEF0123456789ABCDEF01234567";
const INVITE = `https://i.delta.chat/#${FP}&i=abc&s=def&a=anna%40relay.test&n=Anna`;
const STORED = `openpgp4fpr:${FP}#i=abc&s=def&a=anna%40relay.test&n=Anna`;

function world(sharing = true) {
  const domain = parseDomain("relay.test");
  if (domain === undefined) throw new Error("fixture");
  const facts: SiteFacts = {
    domain,
    host: "relay.test",
    ports: {},
    trusted: true,
    messageMaxBytes: 1,
    quotaBytes: 0,
    sharing,
    download: false,
  };
  const kept = new Map<string, SharedContact>([["taken", { slug: "taken", url: STORED, name: "T" }]]);
  const app = new Hono();
  addSharing(app, {
    facts: () => facts,
    contacts: {
      find: (slug) => kept.get(slug),
      add(contact) {
        if (contact.slug === "kept") return "reserved";
        if (kept.has(contact.slug)) return "taken";
        kept.set(contact.slug, contact);
        return undefined;
      },
    },
    peerAddress: () => "192.0.2.1",
    isSecure: () => true,
    clock: new ManualClock(),
  });
  const post = async (form: Record<string, string>, accept = "application/json") =>
    await app.request("https://relay.test/share", {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", accept },
      body: new URLSearchParams(form).toString(),
    });
  const get = async (path: string) =>
    await app.request(`https://relay.test${path}`, { headers: { accept: "text/html" } });
  return { kept, post, get, app };
}

test("a form makes a short address, and the address shows the invitation", async () => {
  const w = world();
  const made = await w.post({ url: INVITE, name: "  Anna <3 ", slug: "Anna" }, "text/html");
  expect(made.status).toBe(200);
  expect(await made.text()).toContain("https://relay.test/anna");
  expect(w.kept.get("anna")).toEqual({ slug: "anna", url: STORED, name: "Anna <3" });
  for (const path of ["/anna", "/ANNA"]) {
    const page = await (await w.get(path)).text();
    expect(page).toContain(`href="${STORED.replaceAll("&", "&amp;")}"`);
    expect(page).toContain("Anna &lt;3");
    expect(page).toContain('content="noindex"');
  }
  const qr = await w.get("/anna/qr.svg");
  expect(qr.headers.get("content-type")).toBe("image/svg+xml");
  expect(await qr.text()).toStartWith("<svg");
});

test("scripts are answered in the predecessor's JSON, and a missing name is made up", async () => {
  const w = world();
  const answer = (await (await w.post({ url: INVITE })).json()) as Record<string, string>;
  expect(answer).toEqual({ Slug: expect.stringMatching(/^[a-z2-9]{8}$/), URL: STORED, Name: "" });
  expect((await w.get(`/${answer["Slug"]}`)).status).toBe(200);
});

const refusals: readonly [name: string, form: Record<string, string>, status: number][] = [
  ["no invitation", { url: "https://example.org/" }, 400],
  ["a script for an invitation", { url: "javascript:alert(1)" }, 400],
  ["a name without end", { url: INVITE, name: "x".repeat(81) }, 400],
  ["a slug with a dot", { url: INVITE, slug: "a.bc" }, 400],
  ["a short slug", { url: INVITE, slug: "ab" }, 400],
  ["a reserved slug", { url: INVITE, slug: "kept" }, 409],
  ["a taken slug", { url: INVITE, slug: "TAKEN" }, 409],
];
for (const [name, form, status] of refusals) {
  test(`${name} is refused with ${status}, and the form keeps what was typed`, async () => {
    const w = world();
    expect((await w.post(form)).status).toBe(status);
    const page = await w.post({ ...form, name: form["name"] ?? 'A"b' }, "text/html");
    expect(page.status).toBe(status);
    const text = await page.text();
    expect(text).toContain('role="alert"');
    if (form["name"] === undefined) expect(text).toContain('value="A&quot;b"');
    expect(w.kept.size).toBe(1);
  });
}

test("a form with files is refused with 415, one without end with 400", async () => {
  const w = world();
  const form = new FormData();
  form.set("url", INVITE);
  expect((await w.app.request("/share", { method: "POST", body: form })).status).toBe(415);
  expect((await w.post({ url: "x".repeat(10_000) })).status).toBe(400);
});

test("one network makes a few addresses at once, then has to wait", async () => {
  const w = world();
  const statuses = [];
  for (let i = 0; i < 6; i++) statuses.push((await w.post({ url: INVITE })).status);
  expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
});

for (const path of ["/share", "/taken", "/taken/qr.svg"]) {
  test(`${path} is not there while sharing is off`, async () => {
    expect((await world(false).get(path)).status).toBe(404);
  });
}

for (const path of ["/nobody", "/new", "/taken/other", "/ta.ken"]) {
  test(`${path} is no short address`, async () => {
    expect((await world().get(path)).status).toBe(404);
  });
}
