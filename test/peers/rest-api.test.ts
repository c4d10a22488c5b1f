/** The REST API of the executable: on when the environment says so, and what a script makes there is a login that works. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { ImapClient } from "../support/imap-client.ts";
import { Relay, runMadmail } from "../support/relay.ts";

const env = {
  ENABLE_API: "true",
  ADMIN_EMAIL: "root@relay.test",
  ADMIN_PASSWORD: "secret",
  REQUESTS_PER_SECOND: "100",
};
const alice = "alice@relay.test";

let relay: Relay;
let api = "";

beforeAll(async () => {
  relay = await Relay.start({ name: "rest-api", env, config: { rest: { listen: ["127.0.0.1:0"] } } });
  api = `http://${/"rest":\["([^"]+)"/.exec(relay.output)?.[1]}`;
});
afterAll(() => relay.dispose());

function ask(method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${api}${path}`, {
    method,
    headers: { Authorization: `Basic ${btoa("root@relay.test:secret")}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

test("a user that a script makes logs in and finds the special mailboxes", async () => {
  const made = await ask("POST", "/v1/users", {
    username: alice,
    password: "password-1",
    createMailboxes: true,
  });
  expect(made.status).toBe(201);
  const client = await ImapClient.open({ port: relay.ports.imaps, tls: true });
  expect((await client.login(alice, "password-1")).status).toBe("OK");
  const { untagged } = await client.ok('LIST "" "*"');
  const listed = untagged.map(({ text }) => text).join("\n");
  for (const [use, name] of [
    ["\\Sent", "Sent"],
    ["\\Trash", "Trash"],
    ["\\Junk", "Junk"],
    ["\\Drafts", "Drafts"],
    ["\\Archive", "Archive"],
  ] as const) {
    expect(listed).toMatch(new RegExp(`\\${use}[^\\n]*${name}`));
  }
  const ended = client.next();
  expect((await ask("POST", `/v1/users/${alice}/password`, { password: "password-2" })).status).toBe(200);
  expect((await ended).text).toStartWith("* BYE");
});

test("a quota set there is the one that IMAP tells", async () => {
  expect((await ask("PUT", `/v1/users/${alice}/quota`, { quotaBytes: 1_048_576 })).status).toBe(200);
  const client = await ImapClient.open({ port: relay.ports.imaps, tls: true });
  await client.login(alice, "password-2");
  const { untagged } = await client.ok("GETQUOTAROOT INBOX");
  expect(untagged.map(({ text }) => text).join("\n")).toContain("STORAGE 0 1024");
  client.close();
});

test("without the right password nobody comes in, and the document describes all", async () => {
  expect((await fetch(`${api}/v1/users`)).status).toBe(401);
  expect((await fetch(`${api}/openapi.json`)).status).toBe(200);
});

test("a switch without a password does not start", async () => {
  const child = Bun.spawnSync(
    [
      process.env["MADMAIL_BIN"] ?? "dist/madmail",
      "run",
      "--config",
      `${relay.dir}/madmail.toml`,
      "--state-dir",
      `${relay.dir}/other`,
    ],
    { env: { ...process.env, ENABLE_API: "true" }, stdout: "pipe", stderr: "pipe" },
  );
  expect(child.exitCode).toBe(1);
  expect(child.stderr.toString()).toContain("ADMIN_PASSWORD");
});

test("nothing it printed names whom it was about", async () => {
  const { output } = await runMadmail([
    "accounts",
    "status",
    "--config",
    `${relay.dir}/madmail.toml`,
    "--state-dir",
    relay.stateDir,
    "--json",
  ]);
  expect(JSON.parse(output)).toMatchObject({ data: { accounts: 1 } });
  expect(relay.output).not.toContain("alice");
});
