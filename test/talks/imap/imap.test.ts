/**
 * The IMAP conversations, on the host with fakes around it.
 *
 *     @ plain                     the connection has no TLS yet
 *     @ login                     the client is logged in as many@relay.example; what was said for that is not shown
 *     @ select MAILBOX            … and has it selected
 *     @ generic                   before login only common capabilities are shown
 *     @ mailbox NAME              there is such a mailbox
 *     @ message MAILBOX FLAGS TEXT   a message comes; flags as `\Seen,$Junk` or `-`; \r \n in TEXT are escapes
 *     @ value ENTRY TEXT          a metadata value
 *     @ quota BYTES
 *     @ flag MAILBOX UID BITS     another client sets flags
 *     @ expunge MAILBOX UID       another client removes a message
 */
import { sortFlags } from "../../../src/imap/engine/flags.ts";
import { FakePeer, FakeWorld, MANY, settle } from "../../../src/imap/fake-peer.test-help.ts";
import { type TalkTarget, testTalks } from "../play.ts";
import { type Directive, type Talk, unescapeBytes } from "../talk.ts";

testTalks(import.meta.dir, open);

async function open(talk: Talk): Promise<TalkTarget> {
  const names = new Set(talk.setup.map(({ name }) => name));
  const world = new FakeWorld(names.has("generic") ? { capabilities: "generic" } : {});
  for (const directive of talk.setup) await apply(world, directive);
  const peer = new FakePeer(world, { secure: !names.has("plain") });
  let skippedBytes = 0;
  if (names.has("login")) {
    await peer.say(`login LOGIN ${MANY} secret`);
    const selected = talk.setup.find(({ name }) => name === "select")?.args[0];
    if (selected !== undefined) await peer.say(`select SELECT "${selected}"`);
    skippedBytes = peer.output().length;
  }
  return {
    send: (bytes) => peer.send(bytes),
    output: () => peer.output().subarray(skippedBytes),
    advance: (ms) => world.clock.advance(ms),
    secure: () => peer.secureNow(),
    event: (directive) => apply(world, directive),
    get closed() {
      return peer.closed;
    },
    settle,
    dispose: () => peer.destroy(),
  };
}

async function apply(world: FakeWorld, { name, args }: Directive): Promise<void> {
  const account = world.store.of(MANY);
  const [first = "", second = "", third = ""] = args;
  switch (name) {
    case "plain":
    case "login":
    case "select":
    case "generic":
      return;
    case "mailbox":
      return account.create(first);
    case "message": {
      const { bits, keywords } = sortFlags(second === "-" ? [] : second.split(","));
      account.box(first).add(unescapeBytes(third), { flags: bits, keywords });
      return;
    }
    case "value":
      world.values.set(first, second);
      return;
    case "quota":
      world.quotaBytes = Number(first);
      return;
    case "flag":
      await account.box(first).storeFlags([Number(second)], "add", Number(third));
      return;
    case "expunge":
      account.box(first).drop([Number(second)]);
      return;
    default:
      throw new Error(`unknown directive: ${name}`);
  }
}
