import { expect, test } from "bun:test";
import { type Credential, credentialOf } from "./login-code.ts";

const TOKEN = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4";
const packed = Buffer.from(JSON.stringify({ u: "https://relay.test/api/admin", t: TOKEN })).toString(
  "base64url",
);

const rows: [what: string, text: string, want: Credential | undefined][] = [
  ["a login link", `https://relay.test/admin/#code=${TOKEN}`, { code: TOKEN }],
  ["what the terminal shows", packed, { token: TOKEN }],
  ["a link of other panels", `https://panel.example/#${packed}`, { token: TOKEN }],
  ["JSON", JSON.stringify({ url: "https://relay.test", token: TOKEN }), { token: TOKEN }],
  ["the token itself", ` ${TOKEN}\n`, { token: TOKEN }],
  ["an account", "dclogin:ada@relay.test/?p=secret&v=1", undefined],
  ["a link to anywhere", "https://example.org/", undefined],
  ["nothing", "", undefined],
];

test.each(rows)("the panel takes from %s what is in it", (_, text, want) => {
  expect(credentialOf(text)).toEqual(want as never);
});
