/**
 * Shadowsocks against the compiled relay: Debian's ss-local with every cipher of SIP004 and curl behind it, Delta Chat's
 * core with every cipher of SIP004 and SIP022, and the command line.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { methodNames, passwordFor, SsClient } from "../../src/shadowsocks/client.test-help.ts";
import { type MethodName, methods } from "../../src/shadowsocks/engine/methods.ts";
import { ssLink } from "../../src/shadowsocks/link.ts";
import { Core, secureJoin } from "../support/delta-chat.ts";
import { ImapClient } from "../support/imap-client.ts";
import { Link } from "../support/link.ts";
import { pgpMessage } from "../support/pgp-mail.ts";
import { Relay, runMadmail } from "../support/relay.ts";
import { isListening, startSsLocal } from "../support/shadowsocks.ts";
import { isMissing, runTool } from "../support/tools.ts";

const PASSWORD = "correct-horse-battery";
const SCENE_TIMEOUT_MS = 120_000;

interface Proxied {
  relay: Relay;
  port: number;
  method: MethodName;
  password: string;
}

async function startRelay(method: MethodName): Promise<Proxied> {
  const password = passwordFor(method);
  const shadowsocks = { enabled: true, cipher: method, password };
  const relay = await Relay.start({ name: `ss-${method}`, config: { shadowsocks } });
  return { relay, port: relay.shadowsocksPort, method, password };
}

describe.skipIf(isMissing("ss-local"))("ss-local (needs the package shadowsocks-libev)", () => {
  for (const method of methodNames.filter((name) => methods[name].family === "sip004")) {
    test(`${method}: curl sends and reads mail, and gets a page, by names that do not exist`, async () => {
      const { relay, port, password } = await startRelay(method);
      const local = await startSsLocal(port, method, password);
      try {
        const user = relay.address("curltunnel");
        const message = join(relay.dir, "message.eml");
        const data = await pgpMessage({ from: user, messageId: "tunnel@localhost", bytes: 300_000 });
        writeFileSync(message, data);
        const socks = ["--socks5-hostname", `127.0.0.1:${local.port}`];
        const curl = (...args: string[]) => runTool(["curl", "-sS", "-k", "-m", "20", ...socks, ...args]);
        const login = ["-u", `${user}:${PASSWORD}`];
        const host = "mail.invalid";
        const { submissions, submission, imaps, imap, https } = relay.ports;
        const envelope = ["--mail-from", user, "--mail-rcpt", user, "-T", message];
        expect(await curl(`smtps://${host}:${submissions}`, ...login, ...envelope)).toEqual({
          code: 0,
          output: "",
        });
        const starttls = ["--ssl-reqd", `smtp://${host}:${submission}`];
        expect(await curl(...starttls, ...login, ...envelope)).toEqual({ code: 0, output: "" });
        const body = data.toString("latin1").split("\r\n\r\n").slice(1).join("\r\n\r\n").trimEnd();
        for (const url of [[`imaps://${host}:${imaps}`], ["--ssl-reqd", `imap://${host}:${imap}`]]) {
          const [address = "", ...flags] = url.toReversed();
          const read = await curl(...flags, ...login, `${address}/INBOX;UID=1`);
          expect(read.code).toBe(0);
          expect(read.output).toContain(body);
        }
        const page = await curl(`https://${host}:${https}/robots.txt`);
        expect(page.output).toContain("User-agent: *");
        for (const forbidden of [22, relay.ports.smtp]) {
          const { code } = await curl("-m", "2", `http://127.0.0.1:${forbidden}/`);
          expect(code).toBe(28);
        }
      } finally {
        await local.stop();
        await relay.dispose();
      }
    });
  }
});

describe("Delta Chat's core", () => {
  let core: Core;

  beforeAll(async () => {
    core = await Core.start("shadowsocks");
  }, SCENE_TIMEOUT_MS);

  afterAll(async () => core?.close());

  for (const method of methodNames) {
    test(
      `${method}: a profile logs in through the link, sends and receives, and never connects directly`,
      async () => {
        const { relay, port, password } = await startRelay(method);
        try {
          const proxy = ssLink({ method, password, host: "127.0.0.1", port, tag: "relay.test" });
          const [direct, behind] = await Promise.all([
            core.login({ relay, localpart: `direct00${methodNames.indexOf(method)}` }),
            core.login({ relay, localpart: `behind00${methodNames.indexOf(method)}`, proxy }),
          ]);
          await secureJoin(direct, behind);
          for (const [from, to] of [
            [direct, behind],
            [behind, direct],
          ] as const) {
            await from.say(await from.chatWith(to), `by ${method}`);
            await to.eventually(async () => {
              const texts = await to.texts(await to.chatWith(from));
              return texts.includes(`by ${method}`) || undefined;
            }, "the message");
          }
          // IMAP, and submission at least once.
          expect(relay.output.split("event=tunnelOpened").length - 1).toBeGreaterThanOrEqual(2);
          await Promise.all([direct, behind].map(({ id }) => core.rpc.stopIo(id)));
          expect(core.complaints).toEqual([]);
          expect(relay.leaks()).toEqual([]);
        } finally {
          await relay.dispose();
        }
      },
      SCENE_TIMEOUT_MS,
    );
  }
});

test("without a password one is made, for the relay's user only, and the command line shows the link", async () => {
  const relay = await Relay.start({ name: "ss-cli", config: { shadowsocks: { enabled: true } } });
  const port = relay.shadowsocksPort;
  try {
    // With a port of its own from here on: what the command line shows stands in the file.
    await relay.stop();
    await relay.restart();
    expect(statSync(join(relay.stateDir, "shadowsocks.secret")).mode & 0o777).toBe(0o600);
    const { data } = JSON.parse((await runMadmail([...cli(relay), "proxy"])).output);
    const { link } = JSON.parse((await runMadmail([...cli(relay), "proxy", "link"])).output).data;
    expect(data).toMatchObject({ enabled: true, cipher: "aes-128-gcm", link, connections: 0 });
    const [, user = ""] = /^ss:\/\/([\w-]+)@relay\.test:\d+#relay\.test$/.exec(link) ?? [];
    const password = Buffer.from(user, "base64url").toString().replace("aes-128-gcm:", "");
    expect(password.length).toBeGreaterThanOrEqual(22);
    const page = await runTool(["curl", "-sSk", `https://127.0.0.1:${relay.ports.https}/`]);
    expect(page.output).toContain(link);
    expect(await greetingThrough({ relay, port, method: "aes-128-gcm", password })).toStartWith("* OK");
    expect(relay.leaks([password])).toEqual([]);
  } finally {
    await relay.dispose();
  }
});

test("a reload turns it off, on, and to another cipher, and mail goes on meanwhile", async () => {
  const proxied = await startRelay("aes-256-gcm");
  const { relay, port } = proxied;
  const file = join(relay.dir, "madmail.toml");
  const text = readFileSync(file, "utf8").replace('127.0.0.1:0"]\nenabled', `127.0.0.1:${port}"]\nenabled`);
  const reload = async (edited: string) => {
    writeFileSync(file, edited);
    await relay.signalUntil("SIGHUP", "configuration read again");
  };
  try {
    const imap = await ImapClient.open({ port: relay.ports.imaps, tls: true });
    expect(await greetingThrough(proxied)).toStartWith("* OK");
    await reload(text.replace("enabled = true", "enabled = false"));
    expect(await isListening(port)).toBe(false);
    const method = "2022-blake3-aes-128-gcm";
    const password = passwordFor(method);
    await reload(
      text
        .replace('"aes-256-gcm"', `"${method}"`)
        .replace(JSON.stringify(proxied.password), JSON.stringify(password)),
    );
    expect(await greetingThrough({ relay, port, method, password })).toStartWith("* OK");
    expect((await imap.command("NOOP")).status).toBe("OK");
    imap.close();
  } finally {
    await relay.dispose();
  }
});

/** What IMAP says through a tunnel to a client that has said nothing. */
async function greetingThrough({ relay, port, method, password }: Proxied): Promise<string> {
  const client = new SsClient({ method, password });
  const link = await Link.connect({ port });
  link.write(client.open({ port: relay.ports.imap }));
  let greeting = "";
  while (!greeting.includes("\r\n")) greeting += client.take(await link.bytes(1)).toString();
  link.close();
  return greeting;
}

function cli(relay: Relay): string[] {
  return ["--config", join(relay.dir, "madmail.toml"), "--state-dir", relay.stateDir, "--json"];
}
