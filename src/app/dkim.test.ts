import { afterAll, expect, test } from "bun:test";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Domain, parseDomain } from "../core/address.ts";
import { fromLatin1, toLatin1 } from "../core/bytes.ts";
import { ManualClock } from "../core/clock.ts";
import type { MessageSource } from "../delivery/courier.ts";
import { NOW_S, verify } from "../../test/support/dkim.ts";
import type { DnsResult } from "../dns/resolver.ts";
import type { Event } from "../log/events.ts";
import { confirmShown, keyShown, MailSigner, watchKeys } from "./dkim.ts";
import { DkimKeyError, DkimKeys } from "./dkim-keys.ts";

function domain(text: string): Domain {
  const parsed = parseDomain(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

const relay = domain("relay.test");
const second = domain("second.test");

/** RSA keys are slow to make: one state directory is the pattern for most tests. */
const pattern = mkdtempSync(join(tmpdir(), "madmail-dkim-"));
afterAll(() => rmSync(pattern, { recursive: true, force: true }));
DkimKeys.open(pattern, new ManualClock(NOW_S * 1000));

async function withState(
  work: (dir: string, clock: ManualClock) => Promise<void> | void,
  isNew = false,
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "madmail-dkim-"));
  if (!isNew) cpSync(pattern, dir, { recursive: true });
  try {
    await work(dir, new ManualClock(NOW_S * 1000));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function source(text: string): MessageSource & { reads: number } {
  const bytes = fromLatin1(text);
  return {
    size: bytes.length,
    reads: 0,
    async read(offset, length) {
      this.reads++;
      return bytes.subarray(offset, offset + length);
    },
    close: async () => {},
  };
}

/** A DNS that shows the keys with these selectors. */
function dnsOf(keys: DkimKeys, selectors: readonly string[]) {
  return {
    async txt(name: string): Promise<DnsResult<string>> {
      await Promise.resolve();
      const key = keys
        .all()
        .find(({ selector }) => selectors.includes(selector) && name.startsWith(`${selector}.`));
      return key === undefined ? { kind: "noName" } : { kind: "found", records: [key.record] };
    },
  };
}

function silentLog() {
  const events: Event[] = [];
  return { events, emit: (event: Event) => void events.push(event), counts: () => new Map<string, number>() };
}

const MESSAGE = "From: <Bob@Relay.test>\r\nTo: a@peer.test\r\nSubject: [...]\r\n\r\nbody\r\n";

test("the first start makes an RSA key that signs and an Ed25519 key that waits, for the owner only", () =>
  withState((dir, clock) => {
    const keys = DkimKeys.open(dir, clock);
    expect(keys.all().map(({ selector }) => selector)).toEqual(["default", "ed25519"]);
    expect(keys.signing(relay).map(({ selector }) => selector)).toEqual(["default"]);
    for (const file of readdirSync(join(dir, "dkim"))) {
      expect(statSync(join(dir, "dkim", file)).mode & 0o777).toBe(0o600);
    }
    // The same keys at the next start.
    expect(
      DkimKeys.open(dir, clock)
        .all()
        .map(({ record }) => record),
    ).toEqual(keys.all().map(({ record }) => record));
  }, true));

test("a key signs for a domain once its DNS shows it", () =>
  withState(async (dir, clock) => {
    const keys = DkimKeys.open(dir, clock);
    const shows = {
      keys,
      resolver: dnsOf(keys, ["ed25519"]),
      domains: [relay, domain("[192.0.2.1]")],
      log: silentLog(),
    };
    expect(await confirmShown(shows)).toEqual([{ selector: "ed25519", domain: relay }]);
    const signs = (name: Domain) => keys.signing(name).map(({ selector }) => selector);
    expect(signs(relay)).toEqual(["default", "ed25519"]);
    expect(signs(second)).toEqual(["default"]);
    // It is remembered.
    expect(DkimKeys.open(dir, clock).signing(relay)).toHaveLength(2);
  }));

test("rotation: new keys wait beside the old, take over when shown, and the one after next removes the first", () =>
  withState(async (dir, clock) => {
    const keys = DkimKeys.open(dir, clock);
    const log = silentLog();
    const show = (...selectors: string[]) =>
      confirmShown({ keys, resolver: dnsOf(keys, selectors), domains: [relay], log });
    const signs = () => keys.signing(relay).map(({ selector }) => selector);
    await show("default", "ed25519");
    expect(keys.rotate([relay], clock.nowMs())).toEqual(["rsa-20231114", "ed25519-20231114"]);
    expect(signs()).toEqual(["default", "ed25519"]);
    expect(() => keys.rotate([relay], clock.nowMs())).toThrow(DkimKeyError);
    await show("default", "ed25519", "rsa-20231114");
    expect(signs()).toEqual(["rsa-20231114", "ed25519"]);
    await show("ed25519-20231114");
    expect(signs()).toEqual(["rsa-20231114", "ed25519-20231114"]);
    // Mail on its way is still verifiable: the old ones are shown until now.
    expect(keys.all()).toHaveLength(4);
    expect(keys.rotate([relay], clock.nowMs())).toEqual(["rsa-20231114-2", "ed25519-20231114-2"]);
    expect(keys.all().map(({ selector }) => selector)).toEqual([
      ...["rsa-20231114", "ed25519-20231114", "rsa-20231114-2", "ed25519-20231114-2"],
    ]);
    expect(existsSync(join(dir, "dkim/default.private"))).toBe(false);
  }));

test("a key of an older version is taken over", () =>
  withState((dir, clock) => {
    const old = DkimKeys.open(dir, clock).all()[0]?.record;
    rmSync(join(dir, "dkim/keys.json"));
    rmSync(join(dir, "dkim/ed25519.private"));
    expect(DkimKeys.open(dir, clock).all()[0]?.record).toBe(old ?? "");
  }));

test("unusable key files are told to the operator, and a reload keeps what was there", () =>
  withState((dir, clock) => {
    const keys = DkimKeys.open(dir, clock);
    for (const [file, text] of [
      ["default.private", "garbage"],
      ["keys.json", "{}"],
    ] as const) {
      const path = join(dir, "dkim", file);
      const was = readFileSync(path);
      writeFileSync(path, text);
      expect(() => DkimKeys.open(dir, clock)).toThrow(DkimKeyError);
      expect(() => keys.reload()).toThrow(DkimKeyError);
      expect(keys.signing(relay)).toHaveLength(1);
      writeFileSync(path, was);
    }
    expect(() => keys.reload()).not.toThrow();
  }));

test("the signer signs a stored message of ours with all keys that sign, and each time anew", () =>
  withState(async (dir, clock) => {
    const keys = DkimKeys.open(dir, clock);
    keys.confirm("ed25519", relay);
    const signer = new MailSigner({ keys, isLocal: (name) => name === relay, clock });
    const records = Object.fromEntries(
      keys.all().map((key) => [`${key.selector}._domainkey.relay.test`, key.record]),
    );
    const sizes = [0, 100, 300_000, 1_000_000];
    for (const size of sizes) {
      const text = `${MESSAGE}${"x".repeat(size)}\r\n`;
      const stored = source(text);
      const fields = toLatin1(await signer.sign(stored));
      expect(verify(fields + text, "relay.test", records).verdicts).toEqual(["valid", "valid"]);
      expect(fields).toEndWith("\r\n");
      for (const line of fields.split("\r\n")) expect(line.length).toBeLessThanOrEqual(78);
    }
    clock.advance(60_000);
    expect(toLatin1(await signer.sign(source(MESSAGE)))).toContain(`t=${NOW_S + 60};`);
  }));

test("the same message is signed once for a minute, whatever became of the first time", () =>
  withState(async (dir, clock) => {
    const keys = DkimKeys.open(dir, clock);
    let signed = 0;
    const counting = {
      signing: (name: Domain) => {
        signed++;
        if (signed === 1) throw new Error("no keys now");
        return keys.signing(name);
      },
    };
    const signer = new MailSigner({ keys: counting, isLocal: () => true, clock });
    const stored = source(MESSAGE);
    expect(await signer.sign(stored).catch(() => "failed")).toBe("failed");
    const [one, other] = await Promise.all([signer.sign(stored), signer.sign(stored)]);
    expect(toLatin1(one)).toBe(toLatin1(other));
    expect(signed).toBe(2);
    await signer.sign(source(MESSAGE));
    clock.advance(60_000);
    expect(toLatin1(await signer.sign(stored))).toContain(`t=${NOW_S + 60};`);
    expect(signed).toBe(4);
  }));

test("a giant header is signed whole", () =>
  withState(async (dir, clock) => {
    const keys = DkimKeys.open(dir, clock);
    const signer = new MailSigner({ keys, isLocal: () => true, clock });
    const text = `X-Long: ${"y\r\n ".repeat(60_000)}z\r\n${MESSAGE}`;
    const fields = toLatin1(await signer.sign(source(text)));
    const records = { "default._domainkey.relay.test": keys.all()[0]?.record ?? "" };
    expect(verify(fields + text, "relay.test", records).verdicts).toEqual(["valid"]);
  }));

for (const [name, message] of [
  ["From at an IP address", MESSAGE.replace("Relay.test", "[192.0.2.1]")],
  ["From at another domain", MESSAGE.replace("Relay.test", "peer.test")],
  ["no From", MESSAGE.replace("From", "Sender")],
  ["two From fields", `From: <a@relay.test>\r\n${MESSAGE}`],
  ["no header", "text"],
] as const) {
  test(`nothing is signed for ${name}`, () =>
    withState(async (dir, clock) => {
      const isLocal = (text: Domain) => text === relay || text.startsWith("[");
      const signer = new MailSigner({ keys: DkimKeys.open(dir, clock), isLocal, clock });
      expect(await signer.sign(source(message))).toHaveLength(0);
    }));
}

test("a message that ends early is a fault of the storage, not a signature over less", () =>
  withState(async (dir, clock) => {
    const signer = new MailSigner({ keys: DkimKeys.open(dir, clock), isLocal: () => true, clock });
    const short = { ...source(MESSAGE), size: MESSAGE.length + 10 };
    expect(
      await signer.sign(short).then(
        () => "signed",
        () => "failed",
      ),
    ).toBe("failed");
  }));

test("keyShown() compares keys, not texts", () =>
  withState(async (dir, clock) => {
    const [key] = DkimKeys.open(dir, clock).all();
    if (key === undefined) throw new Error("no key");
    const shown = (answer: DnsResult<string>) =>
      keyShown({ txt: async () => await Promise.resolve(answer) }, key, relay);
    const p = key.record.slice(key.record.indexOf("p="));
    expect(await shown({ kind: "found", records: [`${p.slice(0, 80)} ${p.slice(80)};v=DKIM1`] })).toBe(
      "shown",
    );
    expect(await shown({ kind: "found", records: ["v=DKIM1; p=AAAA"] })).toBe("different");
    expect(await shown({ kind: "noName" })).toBe("missing");
    expect(await shown({ kind: "noData" })).toBe("missing");
    expect(await shown({ kind: "trouble", why: "timeout" })).toBe("trouble");
  }));

test("the watch looks at once and every ten minutes, sees keys made meanwhile, and stops", () =>
  withState(async (dir, clock) => {
    const keys = DkimKeys.open(dir, clock);
    const log = silentLog();
    const settled = async () => {
      for (let turn = 0; turn < 30; turn++) await Promise.resolve();
    };
    const selectors = ["default"];
    const stop = watchKeys({ keys, resolver: dnsOf(keys, selectors), domains: [relay], clock, log });
    await settled();
    expect(keys.all().map(({ confirmed }) => confirmed)).toEqual([["relay.test"], []]);
    const [made = ""] = DkimKeys.open(dir, clock).rotate([relay], clock.nowMs());
    selectors.push(made);
    clock.advance(10 * 60_000);
    await settled();
    expect(keys.signing(relay).map(({ selector }) => selector)).toEqual([made]);
    rmSync(join(dir, "dkim"), { recursive: true });
    clock.advance(10 * 60_000);
    await settled();
    expect(log.events.map(({ kind }) => kind)).toEqual(["notice"]);
    stop();
    clock.advance(10 * 60_000);
    await settled();
    expect(log.events).toHaveLength(1);
  }));
