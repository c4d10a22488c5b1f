/** The client against servers that misbehave. Our own server is its peer in federation/outbound.test.ts. */
import { afterEach, expect, test } from "bun:test";
import { parseAddress } from "../core/address.ts";
import { fromLatin1, toLatin1 } from "../core/bytes.ts";
import { systemClock } from "../core/clock.ts";
import type { SmtpPeer, SmtpResult, Transfer } from "../delivery/transport.ts";
import { SmtpClient } from "./client.ts";

const ada = parseAddress("ada@there.test");
const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0).toReversed()) stop();
});

/** Replies by the first word of a line, to all lines of a connection in turn; "hangUp" closes, "reset" resets. */
type Script = Record<string, string>;

function server(script: Script) {
  const lines: string[] = [];
  let connections = 0;
  let body = false;
  const act = (socket: Bun.Socket<{ input: string }>, what: string) => {
    if (what === "reset") socket.terminate();
    else if (what.endsWith("hangUp")) socket.end(what.slice(0, -"hangUp".length));
    else socket.write(what);
  };
  const listener = Bun.listen<{ input: string }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        connections++;
        body = false;
        socket.data = { input: "" };
        act(socket, script["greeting"] ?? "220 x\r\n");
      },
      data(socket, bytes) {
        socket.data.input += toLatin1(bytes);
        for (let end = socket.data.input.indexOf("\r\n"); end >= 0; end = socket.data.input.indexOf("\r\n")) {
          const line = socket.data.input.slice(0, end);
          socket.data.input = socket.data.input.slice(end + 2);
          lines.push(line);
          if (body && line !== ".") continue;
          const word = line.split(/[ :]/)[0] ?? "";
          body = word === "DATA";
          act(
            socket,
            script[`${word}${connections}`] ?? script[word] ?? (body ? "354 go\r\n" : "250 OK\r\n"),
          );
        }
      },
      error() {},
    },
  });
  stops.push(() => listener.stop(true));
  return { port: listener.port, lines, connections: () => connections };
}

function setUp(port: number) {
  const client = new SmtpClient({ helloName: () => "here.test", clock: systemClock });
  stops.push(() => client.stop());
  const peer: SmtpPeer = {
    name: "mx.test",
    addresses: ["127.0.0.1"],
    port,
    tls: "opportunistic",
    serverName: "",
    verify: false,
  };
  const transfer: Transfer = {
    sender: null,
    bytes: 6,
    async *slices() {
      yield fromLatin1("a\r\n.b\r\n");
    },
  };
  return async () => {
    if (ada === undefined) throw new Error("fixture");
    return tell(await client.deliver(peer, transfer, [ada], new AbortController().signal));
  };
}

function tell(result: SmtpResult): string {
  if (result.kind !== "answered") return `${result.kind}: ${result.why}`;
  return [...result.outcomes.values()]
    .map((one) => (one.do === "sent" ? "sent" : `${one.do} ${one.reply.code} ${one.reply.text}`))
    .join();
}

const rows: readonly [name: string, script: Script, want: string][] = [
  ["that is well", {}, "sent"],
  [
    "that refuses in the greeting",
    { greeting: "554 5.7.1 no\r\n" },
    "unusable: the server refused the session",
  ],
  [
    "that speaks something else",
    { greeting: "SSH-2.0-x\r\n" },
    "unusable: the server sent what is no SMTP reply",
  ],
  [
    "that greets without end",
    { greeting: "220-x\r\n".repeat(500) },
    "unusable: the server sent what is no SMTP reply",
  ],
  ["that closes at once", { greeting: "hangUp" }, "unusable: connection closed"],
  ["that resets at once", { greeting: "reset" }, "unusable: connection closed"],
  ["that closes at MAIL", { MAIL: "hangUp" }, "unusable: connection closed"],
  ["that closes at RCPT with a word", { RCPT: "421 4.3.2 bye\r\nhangUp" }, "defer 421 bye"],
  ["that closes after DATA", { DATA: "hangUp" }, "defer 421 connection closed"],
  ["that closes at the end of the body", { ".": "hangUp" }, "defer 421 connection closed"],
  ["that refuses at the end and closes", { ".": "552 5.2.2 full\r\nhangUp" }, "fail 552 full"],
  ["that refuses STARTTLS it offered", { EHLO: "250-x\r\n250 STARTTLS\r\n", STARTTLS: "454 no\r\n" }, "sent"],
  [
    "that talks on in place of a handshake",
    { EHLO: "250-x\r\n250 STARTTLS\r\n", STARTTLS: "220 go\r\n250 x\r\n" },
    "unusable: the server ended the session",
  ],
];
for (const [name, script, want] of rows) {
  test(`a server ${name}: ${want}`, async () => {
    const { port, lines } = server(script);
    expect(await setUp(port)()).toBe(want);
    if (want === "sent") expect(lines).toContain("..b");
  });
}

test("a port where nobody listens is unreachable", async () => {
  const { port } = server({});
  for (const stop of stops.splice(0)) stop();
  expect(await setUp(port)()).toBe("unreachable: connect: ECONNREFUSED");
});

test("a kept session that was ended for its idleness costs another connection, not the message", async () => {
  for (const ended of ["421 4.4.2 idle\r\nhangUp", "hangUp", "reset"]) {
    let count = 0;
    const script: Script = {
      get MAIL() {
        return ++count === 2 ? ended : "250 OK\r\n";
      },
    };
    const peer = server(script);
    const send = setUp(peer.port);
    expect([await send(), await send(), peer.connections()]).toEqual(["sent", "sent", 2]);
  }
});
