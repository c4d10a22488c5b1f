import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DnsServer } from "../../test/support/dns-server.ts";
import { ManualClock, systemClock } from "../core/clock.ts";
import { socketExchange } from "../dns/exchange.ts";
import type { Event } from "../log/events.ts";
import { DnsHook } from "../tls/dns-hook.ts";
import { DnsProofs, parseAwsCredentials, readSecret } from "./dns-proofs.ts";

const root = await mkdtemp(join(tmpdir(), "madmail-dns-proofs-"));
const dns = await DnsServer.start();
afterAll(async () => {
  dns.stop();
  await rm(root, { recursive: true });
});

const proof = { type: "dns-01", name: "a.example", token: "t", value: "v" } as const;
const record = "_acme-challenge.a.example";
const nothing = async () => ({ kind: "noData" }) as const;

/** Time that passes as soon as somebody waits for it. */
class RushingClock extends ManualClock {
  override after(delayMs: number, work: () => void) {
    const timer = setImmediate(() => {
      this.advance(delayMs);
      work();
    });
    return () => clearImmediate(timer);
  }
}

function proofsBy(provider: ConstructorParameters<typeof DnsProofs>[0]["provider"]) {
  const events: Event[] = [];
  const authority = {
    resolver: { ns: nothing, a: nothing, aaaa: nothing },
    exchange: socketExchange(systemClock),
    servers: [{ host: "127.0.0.1", port: dns.port }],
  };
  const log = { emit: (event: Event) => void events.push(event), counts: () => new Map<string, number>() };
  return { proofs: new DnsProofs({ provider, authority, clock: new RushingClock(), log }), events };
}

describe("a proof", () => {
  test("is there when every server shows it, not when the provider says so", async () => {
    dns.zone.clear();
    const { proofs } = proofsBy({ present: async () => {}, remove: async () => {} });
    let looks = 0;
    const shown = proofs.show([proof], new AbortController().signal);
    const whenAsked = dns.questions(dns.asked.length + 3).then(() => {
      looks = dns.asked.length;
      dns.zone.set(record, [{ type: "TXT", data: "v" }]);
    });
    await Promise.all([shown, whenAsked]);
    expect(looks).toBeGreaterThanOrEqual(3);
  });

  test("that never shows is told, with its name", async () => {
    dns.zone.set(record, [{ type: "TXT", data: "another" }]);
    const { proofs } = proofsBy({ present: async () => {}, remove: async () => {} });
    expect(
      await proofs.show([proof], new AbortController().signal).catch((error: unknown) => error),
    ).toMatchObject({
      message: `${record}: 1 of 1 name servers do not show the record after 10 minutes`,
      facts: { why: "proofFailed", name: "a.example" },
    });
  });

  test("that can't be taken down is no failure", async () => {
    const { proofs, events } = proofsBy({
      present: async () => {},
      remove: () => Promise.reject(new Error("not now")),
    });
    await proofs.remove([proof]);
    expect(events).toEqual([
      { kind: "notice", text: "a TXT record for a certificate stays behind: not now" },
    ]);
  });
});

test("a hook that fails is told with its last words; it gets name and value as they are, through no shell", async () => {
  const script = join(root, "hook");
  await writeFile(script, '#!/bin/sh\necho first >&2\necho "no: $1 $2 $3" >&2\nexit 3\n', { mode: 0o700 });
  const hook = new DnsHook([script]);
  const failure = await hook
    .present("_acme-challenge.a.example", "$(id) 'v'", new AbortController().signal)
    .catch(String);
  expect(failure).toBe(
    `Error: ${script} present ended with 3: no: present _acme-challenge.a.example $(id) 'v'`,
  );
});

test("a hook that hangs ends with the relay", async () => {
  const script = join(root, "hanging-hook");
  await writeFile(script, "#!/bin/sh\necho begun >&2\nexec sleep 60\n", { mode: 0o700 });
  const stop = new AbortController();
  const failure = new DnsHook([script]).present("n", "v", stop.signal).catch(String);
  stop.abort();
  expect(await failure).toContain("present ended with SIGKILL");
});

test("a secret that others may read is refused by name", async () => {
  const file = join(root, "token");
  await writeFile(file, "secret\n", { mode: 0o644 });
  expect(await readSecret(file).catch(String)).toContain(`${file}: others may read it; chmod 600`);
  expect(await readSecret(join(root, "none")).catch(String)).toContain("cannot be read");
});

test("AWS credentials come from the default profile only", () => {
  const text =
    "[other]\naws_access_key_id = X\n\n[default]\naws_access_key_id=A\r\n aws_secret_access_key = s/=+ \n";
  expect(parseAwsCredentials(text, "f")).toEqual({
    accessKeyId: "A",
    secretAccessKey: "s/=+",
    sessionToken: undefined,
  });
  expect(() => parseAwsCredentials("[other]\naws_access_key_id = X\n", "f")).toThrow(
    "f: no aws_access_key_id",
  );
});
