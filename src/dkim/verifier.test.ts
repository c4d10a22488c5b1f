import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { fromLatin1 } from "../core/bytes.ts";
import { signed, split, testKey, verify } from "../../test/support/dkim.ts";

/** RFC 8463 Appendix A. */
const FOOTBALL = [
  "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;",
  " d=football.example.com; i=@football.example.com;",
  " q=dns/txt; s=brisbane; t=1528637909; h=from : to :",
  " subject : date : message-id : from : subject : date;",
  " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;",
  " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus",
  " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==",
  "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;",
  " d=football.example.com; i=@football.example.com;",
  " q=dns/txt; s=test; t=1528637909; h=from : to : subject :",
  " date : message-id : from : subject : date;",
  " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;",
  " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3",
  " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz",
  " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=",
  "From: Joe SixPack <joe@football.example.com>",
  "To: Suzie Q <suzie@shopping.example.net>",
  "Subject: Is dinner ready?",
  "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)",
  "Message-ID: <20030712040037.46341.5F8J@football.example.com>",
  "",
  "Hi.",
  "",
  "We lost the game.  Are you hungry yet?",
  "",
  "Joe.",
  "",
].join("\r\n");
const footballKeys = {
  "brisbane._domainkey.football.example.com":
    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
  "test._domainkey.football.example.com":
    "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR" +
    "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC" +
    "DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3" +
    "Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
};

/** RFC 6376 Appendix A.2, simple/simple. */
const BRISBANE = [
  "DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;",
  "      c=simple/simple; q=dns/txt; i=joe@football.example.com;",
  "      h=Received : From : To : Subject : Date : Message-ID;",
  "      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;",
  "      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB",
  "      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut",
  "      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV",
  "      4bmp/YzhwvcubU4=;",
  "Received: from client1.football.example.com  [192.0.2.1]",
  "      by submitserver.example.com with SUBMISSION;",
  "      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)",
  ...FOOTBALL.split("\r\n").slice(15),
]
  .join("\r\n")
  .replace("game.  Are", "game. Are");
const brisbaneKeys = {
  "brisbane._domainkey.example.com":
    "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQ" +
    "KBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt" +
    "IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v" +
    "/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi" +
    "tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB",
};

const rsa = testKey("rsa", "r");
const ed = testKey("ed25519", "e");
const DOMAIN = "peer.test";
const keys = { "r._domainkey.peer.test": rsa.record, "e._domainkey.peer.test": ed.record };
const PLAIN = [
  "From: Bob <bob@peer.test>",
  "To: alice@relay.test",
  "Subject: [...]",
  "Date: Tue, 14 Nov 2023 22:13:20 +0000",
  "Message-ID: <1@peer.test>",
  "MIME-Version: 1.0",
  'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted";',
  '\tboundary="b"',
  "",
  "--b",
  "word  word ",
  "",
  "--b--",
  "",
  "",
].join("\r\n");
const SIGNED = await signed(PLAIN, DOMAIN, [rsa, ed]);

test("the example of RFC 8463 is valid, both signatures", () => {
  expect(verify(FOOTBALL, "football.example.com", footballKeys).verdicts).toEqual(["valid", "valid"]);
});

test("the example of RFC 6376 is valid, in simple form", () => {
  expect(verify(BRISBANE, "example.com", brisbaneKeys).verdicts).toEqual(["valid"]);
});

test("what we sign we take for valid, whole, byte by byte, and cut in two at each point", () => {
  const { body } = split(fromLatin1(SIGNED));
  expect(verify(SIGNED, DOMAIN, keys)).toEqual({ count: 2, verdicts: ["valid", "valid"], flaws: [] });
  const all = Array.from({ length: body.length }, (_, at) => at);
  for (const cuts of [all, ...all.map((at) => [at])]) {
    expect(verify(SIGNED, DOMAIN, keys, { cuts }).verdicts).toEqual(["valid", "valid"]);
  }
});

test("no byte of what is signed can be changed", async () => {
  const one = await signed(PLAIN, DOMAIN, [ed]);
  const bytes = Buffer.from(fromLatin1(one));
  // The last digit of `b=` carries two bits of the signature and four that say nothing (RFC 4648 §3.5).
  const loose = one.indexOf("==\r\nFrom:") - 1;
  expect(loose).toBeGreaterThan(0);
  for (let at = 0; at < bytes.length; at++) {
    if (at === loose) continue;
    const was = bytes[at] ?? 0;
    bytes[at] = was === 90 ? 89 : 90;
    const changed = verify(bytes, DOMAIN, keys);
    // An empty line end at the very end is not signed (RFC 6376 §3.4.4); anything put there is.
    expect([at, changed.verdicts.includes("valid")]).toEqual([at, false]);
    bytes[at] = was;
  }
});

test("a field that is signed can't be added, removed or moved; white space in relaxed form may change", () => {
  const names = ["From", "To", "Subject", "Reply-To", "Autocrypt", "In-Reply-To", "List-Id", "Resent-From"];
  for (const name of names) {
    for (const place of ["From: Bob", "Message-ID: "]) {
      const more = SIGNED.replace(place, `${name}: x@evil.test\r\n${place}`);
      expect([name, ...verify(more, DOMAIN, keys).verdicts]).toEqual([
        name,
        "wrongSignature",
        "wrongSignature",
      ]);
    }
  }
  expect(verify(SIGNED.replace("To: alice@relay.test\r\n", ""), DOMAIN, keys).verdicts).not.toContain(
    "valid",
  );
  const moved = SIGNED.replace("To: alice@relay.test\r\n", "").replace(
    "MIME-V",
    "To: alice@relay.test\r\nMIME-V",
  );
  expect(verify(moved, DOMAIN, keys).verdicts).toEqual(["valid", "valid"]);
  const spaced = SIGNED.replace("Subject: [...]", "SUBJECT :\t[...] \r\n ").replace(
    "word  word ",
    "word\tword",
  );
  expect(verify(spaced, DOMAIN, keys).verdicts).toEqual(["valid", "valid"]);
});

const edSigned = await signed(PLAIN, DOMAIN, [ed]);
/** Changes tags of the signature. It is then wrong anyway, so what counts is the flaw that is told. */
function retagged(from: string | RegExp, to: string): string {
  return edSigned.replace(from, to);
}

const flawRows: readonly (readonly [name: string, message: string, flaw: string])[] = [
  ["no version", retagged("v=1; ", ""), "otherVersion"],
  ["version 2", retagged("v=1;", "v=2;"), "otherVersion"],
  ["rsa-sha1", retagged("ed25519-sha256", "rsa-sha1"), "otherAlgorithm"],
  ["an unknown form", retagged("relaxed/relaxed", "nowsp"), "otherCanonicalization"],
  ["three forms", retagged("relaxed/relaxed", "relaxed/relaxed/relaxed"), "otherCanonicalization"],
  ["From not signed", retagged("h=from:from:", "h="), "fromNotSigned"],
  ["another query", retagged("q=dns/txt", "q=http"), "otherQuery"],
  ["no domain", retagged("d=peer.test; ", ""), "badDomain"],
  ["a selector that is no name", retagged("s=e;", "s=e e;"), "badDomain"],
  ["an identity elsewhere", retagged("s=e;", "s=e; i=bob@other.test;"), "identityOutside"],
  ["an identity without @", retagged("s=e;", "s=e; i=peer.test;"), "identityOutside"],
  ["expired", retagged("s=e;", "s=e; x=1700000000;").replace("t=1700000000; ", ""), "ok"],
  ["expired a second ago", retagged("t=1700000000;", "x=1699999999;"), "expired"],
  ["an end before its beginning", retagged("t=1700000000;", "t=1700000000; x=1699999999;"), "malformed"],
  ["a time that is no number", retagged("t=1700000000;", "t=soon;"), "malformed"],
  ["a tag twice", retagged("v=1;", "v=1; v=1;"), "malformed"],
  ["no tag list", retagged("v=1;", "v=1; ; "), "malformed"],
  ["no signature", edSigned.replace(/\tb=[^]*?\r\n(?=From)/, "\tx=1\r\n"), "malformed"],
  ["a body hash that is no base64", retagged("bh=", "bh=*"), "malformed"],
  ["a length that is no number", retagged("s=e;", "s=e; l=-1;"), "malformed"],
  ["another domain", retagged("d=peer.test", "d=other.test"), "otherDomain"],
  ["a domain below", retagged("d=peer.test", "d=mail.peer.test"), "otherDomain"],
  ["a domain above", retagged("d=peer.test", "d=test"), "otherDomain"],
];

for (const [name, message, flaw] of flawRows) {
  test(`a signature is no candidate: ${name}`, () => {
    expect(message).not.toBe(edSigned);
    const { verdicts, flaws } = verify(message, DOMAIN, keys);
    expect(flaw === "ok" ? verdicts : flaws).toEqual([flaw === "ok" ? "wrongSignature" : flaw]);
  });
}

test("a time in the future is no fault: clocks differ", () => {
  const { verdicts } = verify(SIGNED, DOMAIN, keys, { nowS: 1_600_000_000 });
  expect(verdicts).toEqual(["valid", "valid"]);
});

test("l= leaves nothing open: the length must be that of the whole body", () => {
  const { verdicts } = verify(retagged("s=e;", "s=e; l=3;"), DOMAIN, keys);
  expect(verdicts).toEqual(["bodyNotCovered"]);
  const relaxedBytes = split(fromLatin1(PLAIN)).body.length - "\r\n".length - 2;
  expect(verify(retagged("s=e;", `s=e; l=${relaxedBytes};`), DOMAIN, keys).verdicts).toEqual([
    "wrongSignature",
  ]);
});

test("no more than eight signatures are looked at", async () => {
  const [field = ""] = edSigned.split("From: Bob");
  const many = field.repeat(20) + edSigned;
  expect(verify(many, DOMAIN, keys)).toMatchObject({ count: 21, verdicts: Array(8).fill("valid") });
});

test("a key of the other kind, or for the domain itself only, does not do", async () => {
  const swapped = { "e._domainkey.peer.test": rsa.record };
  expect(verify(edSigned, DOMAIN, swapped).verdicts).toEqual(["otherKeyKind"]);
  const below = retagged("s=e;", "s=e; i=@sub.peer.test;");
  const strict = { "e._domainkey.peer.test": `${ed.record}; t=s` };
  expect(verify(below, DOMAIN, strict).verdicts).toEqual(["identityNotAllowed"]);
  expect(verify(below, DOMAIN, keys).verdicts).toEqual(["wrongSignature"]);
});

test("any text in place of a signature is read without a throw, and is never valid", () => {
  const tag = fc.oneof(
    fc.constantFrom(
      "v=1",
      "a=rsa-sha256",
      "a=ed25519-sha256",
      "c=relaxed/simple",
      "d=peer.test",
      "s=r",
      "h=from:to",
    ),
    fc.constantFrom(
      "bh=AAAA",
      "b=AAAA",
      "l=0",
      "x=9999999999",
      "t=1",
      "i=@peer.test",
      "q=dns/txt",
      "",
      "=",
      "z=\r\n x",
    ),
    fc.string({ maxLength: 20 }).map((text) => text.replace(/[\r\n]/g, "")),
  );
  fc.assert(
    fc.property(fc.array(tag, { maxLength: 14 }), (tags) => {
      const field = `DKIM-Signature: ${tags.join("; ").replace(/[^\x20-\x7e\r\n\t]/g, "?")}\r\n`;
      expect(verify(field + PLAIN, DOMAIN, keys).verdicts).not.toContain("valid");
    }),
    { numRuns: 500 },
  );
});
