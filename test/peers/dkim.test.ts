/** Our DKIM engine against others', both ways: mailauth, dkimpy, OpenDKIM. */
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { dkimSign } from "mailauth/lib/dkim/sign";
import { dkimVerify } from "mailauth/lib/dkim/verify";
import { signed, type TestKey, testKey, verify } from "../support/dkim.ts";
import { pgpMessage } from "../support/pgp-mail.ts";
import { isMissing, runTool } from "../support/tools.ts";

const DOMAIN = "relay.test";
const PYTHON = "/usr/bin/python3";
const rsa = testKey("rsa", "default");
const ed = testKey("ed25519", "ed25519");
const keyOf = (key: TestKey) => `${key.selector}._domainkey.${DOMAIN}`;
const records = { [keyOf(rsa)]: rsa.record, [keyOf(ed)]: ed.record };
const forms = [
  ["simple", "simple"],
  ["simple", "relaxed"],
  ["relaxed", "simple"],
  ["relaxed", "relaxed"],
] as const;

const HEADER = `From: Bob <bob@${DOMAIN}>\r\nTo: alice@peer.test\r\nSubject: [...]\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <1@${DOMAIN}>\r\n`;
/** Bodies on which canonical forms differ. */
const bodies: Record<string, string> = {
  empty: "",
  "line ends only": "\r\n\r\n",
  "no line end at the end": "text",
  "white space everywhere": " a \t b  \r\n\t\r\nc \r\n \r\n\r\n",
  dots: ".\r\n..\r\n",
  "many lines": "0123456789abcdef \r\n".repeat(5000),
};
const pgp = await pgpMessage({ from: `bob@${DOMAIN}`, to: "alice@peer.test", messageId: `2@${DOMAIN}` });
const messages: Record<string, string> = {
  ...Object.fromEntries(Object.entries(bodies).map(([name, body]) => [name, `${HEADER}\r\n${body}`])),
  "a folded header": `X-Folded: a\r\n\tb\r\n   c \r\n${HEADER.replace("Subject: ", "SUBJECT:  a\r\n\t")}\r\nbody\r\n`,
  "fields that come twice": `${HEADER}To: second@peer.test\r\nX: 1\r\nX: 2\r\n\r\nbody\r\n`,
  "a real encrypted message": pgp.toString("latin1"),
};

const resolver = async (name: string) => {
  const record = (records as Record<string, string>)[name];
  if (record === undefined) throw Object.assign(new Error("no such name"), { code: "ENOTFOUND" });
  return await Promise.resolve([[record]]);
};

async function mailauthVerdicts(message: string): Promise<string[]> {
  const { results } = await dkimVerify(Buffer.from(message, "latin1"), { resolver });
  return results.map(({ status }) => status.result);
}

async function mailauthSigned(message: string, key: TestKey, canonicalization: string): Promise<string> {
  const algorithm = `${key.key.kind}-sha256`;
  const privateKey = key.privateKey.export({ format: "pem", type: "pkcs8" });
  const order = { signingDomain: DOMAIN, selector: key.selector, privateKey, algorithm, canonicalization };
  const { signatures, errors } = await dkimSign(Buffer.from(message, "latin1"), {
    ...order,
    signTime: new Date(1_700_000_000_000),
    signatureData: [order],
  });
  expect(errors).toEqual([]);
  return signatures + message;
}

describe("mailauth", () => {
  for (const [name, message] of Object.entries(messages)) {
    test(`mailauth verifies what we sign: ${name}`, async () => {
      expect(await mailauthVerdicts(await signed(message, DOMAIN, [rsa, ed]))).toEqual(["pass", "pass"]);
    });

    test(`we verify what mailauth signs: ${name}`, async () => {
      for (const key of [rsa, ed]) {
        for (const form of forms) {
          const theirs = await mailauthSigned(message, key, form.join("/"));
          expect([form, ...verify(theirs, DOMAIN, records).verdicts]).toEqual([form, "valid"]);
        }
      }
    });
  }

  test("mailauth and we agree about messages that were changed on the way", async () => {
    const originals = await Promise.all([
      ...forms.map((form) => mailauthSigned(messages["white space everywhere"] ?? "", ed, form.join("/"))),
      signed(messages["a folded header"] ?? "", DOMAIN, [ed]),
    ]);
    const change = fc.record({
      original: fc.constantFrom(...originals),
      at: fc.nat(2000),
      remove: fc.nat(3),
      insert: fc.constantFrom(
        "",
        " ",
        "\t",
        "x",
        "X",
        "\r\n",
        "\r\n ",
        ";",
        "=",
        "To: a\r\n",
        "Subject: b\r\n",
      ),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ original, at, remove, insert }) => {
        const place = at % original.length;
        const changed = original.slice(0, place) + insert + original.slice(place + remove);
        // The relay refuses headers with lone CR or LF before it asks for signatures; mailauth mends them.
        if (/\r(?!\n)|(?<!\r)\n/.test(changed) || !changed.includes("\r\n\r\n")) return;
        // Nor does SMTP carry a last line without its end; about white space in it implementations differ.
        if (!changed.endsWith("\r\n")) return;
        // A name that is folded before its colon is no field for us (RFC 5322 §2.2).
        if (/^[^\s:]+[ \t]*\r\n[ \t]/m.test(changed)) return;
        const theirs = (await mailauthVerdicts(changed)).includes("pass");
        const ours = verify(changed, DOMAIN, records).verdicts.includes("valid");
        // What we take, they take. They pass over what is no base64, so a damaged signature may still do for them.
        if (ours || place > original.indexOf("From: Bob")) {
          expect({ changed, valid: ours }).toEqual({ changed, valid: theirs });
        }
      }),
      { numRuns: 400, seed: 6376 },
    );
  });
});

const isDkimpyMissing =
  isMissing(PYTHON) || Bun.spawnSync([PYTHON, "-c", "import dkim, nacl"]).exitCode !== 0;

async function python(tasks: readonly object[]): Promise<unknown[]> {
  const { code, output } = await runTool([PYTHON, join(import.meta.dir, "dkimpy-peer.py")], {
    input: JSON.stringify(tasks),
  });
  if (code !== 0) throw new Error(output);
  return JSON.parse(output) as unknown[];
}

const base64 = (message: string) => Buffer.from(message, "latin1").toString("base64");

describe.skipIf(isDkimpyMissing)("dkimpy (needs the package python3-dkim)", () => {
  test("dkimpy verifies what we sign, and nothing that was changed", async () => {
    const good = await Promise.all(
      Object.values(messages).map((message) => signed(message, DOMAIN, [rsa, ed])),
    );
    const bad = good.map((message) => message.replace("From: ", "From: Eve "));
    const results = await python(
      [...good, ...bad].map((message) => ({ message: base64(message), records, count: 2 })),
    );
    expect(results).toEqual([...good.map(() => [true, true]), ...bad.map(() => [false, false])]);
  });

  test("we verify what dkimpy signs", async () => {
    const rsaPem = rsa.privateKey.export({ format: "pem", type: "pkcs1" });
    const seed = ed.privateKey.export({ format: "der", type: "pkcs8" }).subarray(-32).toString("base64");
    const tasks = Object.values(messages).flatMap((message) =>
      forms.flatMap((form) =>
        (
          [
            ["rsa-sha256", rsa.selector, rsaPem],
            ["ed25519-sha256", ed.selector, seed],
          ] as const
        ).map(([algorithm, selector, key]) => ({
          message: base64(message),
          forms: form,
          domain: DOMAIN,
          algorithm,
          selector,
          key,
        })),
      ),
    );
    const theirs = await python(tasks);
    const verdicts = theirs.map(
      (message) => verify(Buffer.from(String(message), "base64"), DOMAIN, records).verdicts,
    );
    expect(verdicts).toEqual(tasks.map(() => ["valid"]));
  });
});

describe.skipIf(isMissing("opendkim"))("OpenDKIM (needs the package opendkim)", () => {
  const dir = mkdtempSync(join(tmpdir(), "madmail-opendkim-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  // Its test mode reads lines.
  const lines = Object.entries(messages).filter(([, message]) => message.endsWith("\r\n"));
  const write = (name: string, text: string) => {
    writeFileSync(join(dir, name), text, { encoding: "latin1", mode: 0o600 });
    return join(dir, name);
  };
  const run = (conf: string, message: string) =>
    runTool(["opendkim", "-v", "-x", conf, "-t", write("message.eml", message)]);

  test("OpenDKIM verifies what we sign, and nothing that was changed", async () => {
    const keys = write(
      "keys",
      Object.entries(records)
        .map(([name, text]) => `${name} ${text}\n`)
        .join(""),
    );
    const conf = write("verify.conf", `Mode v\nTestPublicKeys ${keys}\nSyslog no\n`);
    for (const [name, message] of lines) {
      const ours = await signed(message, DOMAIN, [rsa]);
      const good = await run(conf, ours);
      expect([name, good.output]).toEqual([
        name,
        expect.stringContaining("verification (s=default, d=relay.test, 2048-bit key) succeeded"),
      ]);
      const bad = await run(conf, ours.replace("From: ", "From: Eve "));
      expect([name, bad.output]).toEqual([name, expect.not.stringContaining("succeeded")]);
    }
  });

  test("we verify what OpenDKIM signs, in the forms that chatmail relays use", async () => {
    const key = write("key.pem", rsa.privateKey.export({ format: "pem", type: "pkcs1" }));
    for (const form of forms) {
      const conf = write(
        "sign.conf",
        [
          ...[
            "Mode s",
            `Domain ${DOMAIN}`,
            `Selector ${rsa.selector}`,
            `KeyFile ${key}`,
            "Syslog no",
            "RequireSafeKeys no",
          ],
          ...[
            "SignatureAlgorithm rsa-sha256",
            `Canonicalization ${form.join("/")}`,
            "OversignHeaders From,Subject",
          ],
        ].join("\n"),
      );
      for (const [name, message] of lines) {
        // A milter does not see how much white space follows a colon, so it can't sign that in simple form.
        if (name === "a folded header" && form[0] === "simple") continue;
        const { output } = await run(conf, message);
        const text = output.replaceAll("\r\n", "\n");
        const field = /^DKIM-Signature:.*\n(?:[ \t].*\n)*/m.exec(text)?.[0] ?? "";
        const theirs = field.replaceAll("\n", "\r\n") + message;
        if (field === "") throw new Error(output);
        expect([name, form, ...verify(theirs, DOMAIN, records).verdicts]).toEqual([name, form, "valid"]);
      }
    }
  });
});

test("a key that another program made is not taken for ours", async () => {
  const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const theirs = await mailauthSigned(
    messages["dots"] ?? "",
    { ...rsa, privateKey: stranger },
    "relaxed/relaxed",
  );
  expect(verify(theirs, DOMAIN, records).verdicts).toEqual(["wrongSignature"]);
});
