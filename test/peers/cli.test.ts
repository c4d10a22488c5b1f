/** The commands that need no server, as an operator types them. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { joinMail, pgpBody } from "../support/pgp-mail.ts";
import { runMadmail } from "../support/relay.ts";

const dir = mkdtempSync(join(tmpdir(), "madmail-cli-"));
afterAll(() => rmSync(dir, { recursive: true }));
const file = (name: string, text: string | Uint8Array): string => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};

test("version says which program this is, as text and as JSON", async () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect((await runMadmail(["version"])).output).toStartWith(`madmail ${version} (`);
  const { code, output } = await runMadmail(["--json", "version"]);
  expect([code, JSON.parse(output)]).toEqual([
    0,
    { ok: true, command: "version", data: { version, commit: expect.any(String), bun: expect.any(String) } },
  ]);
});

test("help names every command, and an unknown one is an error with a hint", async () => {
  const { output } = await runMadmail(["help"]);
  for (const word of ["run", "config", "explain", "version", "--state-dir"]) expect(output).toContain(word);
  const { code, output: complaint } = await runMadmail(["dance"]);
  expect([code, complaint]).toEqual([1, "madmail: Unknown command dance (see `madmail help`)\n"]);
});

test("a reader that has had enough is no fault", () => {
  const binary = process.env["MADMAIL_BIN"] ?? "dist/madmail";
  for (const words of ["config sample", "completion fish"]) {
    const piped = `set -o pipefail; for i in $(seq 5); do ${binary} ${words} | true; done`;
    const { exitCode, stderr } = Bun.spawnSync(["bash", "-c", piped], { stderr: "pipe" });
    expect([words, exitCode, stderr.toString()]).toEqual([words, 0, ""]);
  }
});

describe("config", () => {
  test("the sample passes the check, and shows as it stands", async () => {
    const sample = file("sample.toml", (await runMadmail(["config", "sample"])).output);
    expect(await runMadmail(["config", "check", sample])).toMatchObject({
      code: 0,
      output: `${sample}: ok\n`,
    });
    const { output } = await runMadmail(["config", "show", "--config", sample, "--json"]);
    expect(JSON.parse(output)).toMatchObject({ ok: true, data: { config: { hostname: "relay.example" } } });
  });

  test("a fault is told with file and key, on stderr, with exit code 2", async () => {
    const bad = file("bad.toml", 'state_dir = "s"\nhostname = "a.test"\n[limits]\nrecipients = 5\n');
    const { code, output } = await runMadmail(["config", "check", bad]);
    expect([code, output]).toEqual([
      2,
      `madmail: ${bad}: limits.recipients: expected at least 100, found 5\n`,
    ]);
  });
});

describe("explain", () => {
  const from = "alice@relay.test";
  const explain = (path: string, ...more: string[]) =>
    runMadmail(["explain", path, "--from", from, "--to", "bob@relay.test", ...more]);

  test("an encrypted message would be accepted", async () => {
    const mail = joinMail({ from, messageId: "x@localhost" }, await pgpBody(2000));
    const { code, output } = await explain(file("good.eml", mail));
    expect([code, output]).toEqual([0, expect.stringContaining("accept: 250 2.0.0 OK")]);
  });

  test("a message in clear would be refused, and the gate says where it stopped", async () => {
    const path = file("clear.eml", `From: ${from}\nTo: bob@relay.test\nContent-Type: text/plain\n\nHello\n`);
    const { output } = await explain(path);
    expect(output).toContain("encryption      refused (notMultipartEncrypted)");
    expect(output).toContain("refuse: 523 5.7.1 Encryption Needed: Invalid Unencrypted Mail");
    const json = JSON.parse((await explain(path, "--json")).output);
    expect(json.data.verdict).toEqual({ do: "refuse", why: "encryptionNeeded" });
  });

  test("a forged author is told before anything else is", async () => {
    const mail = joinMail({ from: "eve@relay.test", messageId: "y@localhost" }, await pgpBody(2000));
    const { output } = await explain(file("forged.eml", mail));
    expect(output).toContain("fromIsSender    refused");
  });

  test("a bad address and a missing file are named", async () => {
    expect(await runMadmail(["explain", "absent.eml", "--from", from, "--to", "b@c.test"])).toMatchObject({
      code: 1,
      output: "madmail: absent.eml: cannot be read (ENOENT)\n",
    });
    const { output } = await runMadmail(["explain", "absent.eml", "--from", "nobody", "--to", "b@c.test"]);
    expect(output).toContain("--from: expected an address such as name@relay.example, found nobody");
  });
});
