/**
 * Hostile mail for the DKIM verifier, made from a seed: whatever the header and the tags say and however the body is
 * cut, nothing throws, the verdicts are the same, and what is valid was signed by us as it stands.
 */
import { fromLatin1 } from "../../src/core/bytes.ts";
import { parseKeyRecord } from "../../src/dkim/key-record.ts";
import { dkimCrypto } from "../../src/policy/origin-crypto.ts";
import { signed, split, testKey, verify } from "../support/dkim.ts";
import { generator } from "./random.ts";

const DOMAIN = "peer.test";
const key = testKey("ed25519", "e");
const records = { "e._domainkey.peer.test": key.record };
const WORDS = [
  ..."v=1 a=ed25519-sha256 a=rsa-sha256 c=relaxed/simple c=simple d=peer.test s=e h=from:to:from bh=AAAA b= b=AAAA".split(
    " ",
  ),
  ..."l=0 l=99999999999999999999 x=1 t=9999999999 i=@peer.test q=dns/txt z=a=b; ;; = : , v=DKIM1 k=ed25519 p= p=AA==".split(
    " ",
  ),
  ...'From: To: Subject: DKIM-Signature: dkim-signature X-A: <a@peer.test> \\; " \0 \xff'.split(" "),
  ...["\r\n", "\r\n", "\r\n ", "\r\n\t", " ", "\t", "\r", "\n", ";", ";", "; "],
];

export const dkimFuzz: { name: string; run(seed: number): Promise<void> } = {
  name: "dkim",
  async run(seed) {
    const random = generator(seed);
    const words = (most: number): string =>
      Array.from(
        { length: Math.floor(random() * most) },
        () => WORDS[Math.floor(random() * WORDS.length)],
      ).join("");
    parseKeyRecord(words(12), dkimCrypto);
    const body = words(40);
    const text = `From: <a@${DOMAIN}>\r\nTo: b\r\nX: ${words(4).replace(/[\r\n]/g, " ")}\r\n\r\n${body}`;
    const ours = await signed(text, DOMAIN, [key]);
    expectSame(ours, random, "valid");
    const hostile = `DKIM-Signature: ${words(30)}\r\nFrom: <a@${DOMAIN}>\r\n${words(10)}\r\n\r\n${body}`;
    expectSame(hostile, random, undefined);
    expectSame(mutated(ours, random), random, undefined);
  },
};

/** The same verdicts whole and in pieces. */
function expectSame(message: string, random: () => number, want: string | undefined): void {
  const { body } = split(fromLatin1(message));
  const cuts = Array.from({ length: 8 }, () => Math.floor(random() * (body.length + 1))).sort(
    (a, b) => a - b,
  );
  const whole = JSON.stringify(verify(message, DOMAIN, records));
  const cut = JSON.stringify(verify(message, DOMAIN, records, { cuts }));
  if (whole !== cut)
    throw new Error(`the verdict depends on the cuts: ${JSON.stringify({ message, whole, cut })}`);
  if (want !== undefined && !whole.includes(`"${want}"`)) {
    throw new Error(`expected ${want}: ${JSON.stringify({ message, whole })}`);
  }
}

function mutated(message: string, random: () => number): string {
  const at = Math.floor(random() * message.length);
  const word = WORDS[Math.floor(random() * WORDS.length)] ?? "";
  // The header has to end somewhere: the relay asks only about those that do.
  return `${message.slice(0, at)}${word}${message.slice(at + 1)}\r\n\r\n`;
}
