/** The rooms that mail passes through, put together: login, door, queue, exchangers, push, IMAP. */
import { Login } from "../auth/login.ts";
import type { ConnectionLimits } from "../net/connection-limits.ts";
import type { Domain } from "../core/address.ts";
import { AppendDoor } from "../delivery/append.ts";
import type { Courier } from "../delivery/courier.ts";
import { Door, type DoorObserver } from "../delivery/door.ts";
import { ExchangerPoller } from "../delivery/exchanger.ts";
import { EchoService } from "../echo/service.ts";
import type { DeliveryListener } from "../delivery/report.ts";
import type { Resolver } from "../dns/resolver.ts";
import { ImapHost } from "../imap/server.ts";
import { DeflateStream } from "../net/deflate.ts";
import { OriginChecker } from "../policy/origin.ts";
import type { AccountLookup } from "../policy/recipient.ts";
import type { Pusher } from "../push/pusher.ts";
import { MailSigner, watchKeys } from "./dkim.ts";
import type { DkimKeys } from "./dkim-keys.ts";
import { createCourier, type Ways } from "./federation.ts";
import type { Ground } from "./ground.ts";
import type { IrohService } from "./iroh.ts";
import { relayMetadata } from "./metadata.ts";
import { createPusher } from "./push.ts";
import { MailQueue } from "./queue.ts";
import { imapSettings, revokedTexts } from "./relay-facts.ts";
import type { Supervisor } from "./supervisor.ts";
import type { TurnService } from "./turn.ts";

export interface MailParts {
  ground: Ground;
  supervisor: Supervisor;
  resolver: Resolver;
  dkim: DkimKeys;
  iroh: IrohService;
  turn: TurnService;
  limits: ConnectionLimits;
  observer: DoorObserver;
  /** Instead of the ways to other servers that the configuration describes. */
  courier: Courier | undefined;
}

export interface Mail {
  auth: Login;
  door: Door;
  queue: MailQueue;
  imap: ImapHost;
  pusher: Pusher;
  poller: ExchangerPoller;
  echo: EchoService;
  testServer: Ways["test"];
}

/** Starts them; the supervisor stops and reconfigures them. @throws {StorageError} (as a rejection) */
export async function openMail(parts: MailParts): Promise<Mail> {
  const { ground, supervisor, resolver, dkim, iroh, turn } = parts;
  const { config, clock, log, db, state, store, slots, revocations, deviceTokens } = ground;
  supervisor.onStop(watchKeys({ keys: dkim, resolver, domains: config().domains, clock, log }));
  const auth = new Login({ state, config, clock, log, slots, revocations });
  supervisor.onStop(() => auth.settled());

  const pusher = createPusher({ db, tokens: deviceTokens, config, traffic: ground.traffic.push, log, clock });
  await pusher.start();
  supervisor.onStop(() => pusher.stop());
  const pushes = () => config().push.mode !== "off";
  const onDelivered: DeliveryListener = (users, sender) => pusher.delivered(users, sender);

  const ways = openWays(parts);
  const queue = await openQueue(parts, ways.courier, onDelivered);
  const accounts: AccountLookup = {
    exists: (address) => state.accounts.has(address),
    blocked: (address) => state.blocklist.has(address),
    quotaBytes: (address) => state.accounts.quotaBytes(address),
  };
  const gate = { store, accounts, log, clock };
  const origin = new OriginChecker({ resolver, clock, mode: () => config().federation.dkim });
  const door = new Door({
    ...gate,
    settings: config(),
    counters: state.counters,
    origin,
    federation: state.federation,
    outgoing: queue.outgoing,
    onDelivered,
    observer: parts.observer,
  });
  const append = new AppendDoor({ ...gate, settings: config() });
  const poller = new ExchangerPoller({ exchangers: state.exchangers, door, fetch, clock, log });
  await poller.start();
  supervisor.onStop(() => poller.stop());
  const imap = new ImapHost({
    store,
    auth,
    hub: ground.hub,
    clock,
    log,
    metadata: relayMetadata(config, deviceTokens, {
      irohUrl: () => iroh.url(),
      turn: () => turn.metadata(),
      pushes,
    }),
    quotaBytes: (user) => state.accounts.quotaBytes(user),
    judgeAppend: (user) => append.open(user),
    newDeflate: () => new DeflateStream(),
    settings: () => imapSettings(config(), pushes()),
  });
  revocations.onRevoked((user, why) => imap.disconnect(user, revokedTexts[why]));
  supervisor.onReload((next) => door.reconfigure(next));
  supervisor.onReload((next) => append.reconfigure(next));
  supervisor.onReload((next) => {
    queue.reconfigure(next);
    poller.look();
  });
  supervisor.onReload(() => pusher.look());
  const echo = new EchoService({ ...ground, door });
  supervisor.onStop(() => echo.stop());
  supervisor.onReload(() => echo.reconfigure());
  // Nobody waits for it: making a key takes longer than the rest of a start.
  void echo.reconfigure();
  return { auth, door, queue, imap, pusher, poller, echo, testServer: ways.test };
}

/** To other servers. */
function openWays({ ground, supervisor, resolver, dkim, courier }: MailParts) {
  const { config, clock, log, state, traffic } = ground;
  const isLocal = (domain: Domain): boolean => config().domains.includes(domain);
  const signer = new MailSigner({ keys: dkim, isLocal, clock });
  const ways = createCourier({
    config,
    resolver,
    overrides: state.overrides,
    signer,
    traffic: traffic.federation,
    clock,
    log,
  });
  supervisor.onStop(() => ways.stop());
  return { ...ways, courier: courier ?? ways.courier };
}

async function openQueue(
  { ground, supervisor }: MailParts,
  courier: Courier,
  onDelivered: DeliveryListener,
): Promise<MailQueue> {
  const { config, clock, log, store, state } = ground;
  const queue = new MailQueue({ config: config(), courier, store, state, onDelivered, clock, log });
  await queue.start();
  supervisor.onStop(() => queue.stop());
  return queue;
}
