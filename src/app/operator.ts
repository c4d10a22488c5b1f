/**
 * How a command gets to the operations: through the control socket where a relay runs on the state directory, else on
 * the state directory itself, which is then locked for the time of the command.
 */
import type { Config, ListenerName } from "../config/config.ts";
import { applySettings } from "../config/settings.ts";
import { type Address, hostOf } from "../core/address.ts";
import { systemClock } from "../core/clock.ts";
import { DatabaseError } from "../db/open.ts";
import { dcloginLink, inviteLink } from "../http/links.ts";
import { createLog } from "../log/log.ts";
import { OperationError } from "../operations/operation.ts";
import { type Caller, Operations } from "../operations/operations.ts";
import { StorageError } from "../storage/store.ts";
import { controlCaller } from "./control.ts";
import { openGround } from "./ground.ts";
import { asOwner, foreignOwner } from "./owner.ts";
import { StartError } from "./relay-facts.ts";
import { Supervisor } from "./supervisor.ts";
import { createSurvey } from "./survey.ts";

/**
 * Lets `work` call operations, and closes what was opened for it.
 * @throws {OperationError} when neither a relay answers nor the state directory can be used (as a rejection)
 */
export async function withOperations<T>(config: Config, work: (caller: Caller) => Promise<T>): Promise<T> {
  // Whatever a command makes in the state directory is for this user alone.
  process.umask(0o077);
  const log = createLog("error", (line) => process.stderr.write(`${line}\n`));
  const supervisor = new Supervisor(log);
  const owner = foreignOwner(config.stateDir);
  try {
    const caller = await asOwner(owner, () => open(config, supervisor, log));
    // What the command does besides, such as writing a file for its user, it does as who it is.
    return await work({ call: (...args) => asOwner(owner, () => caller.call(...args)) });
  } finally {
    await asOwner(owner, () => supervisor.stop());
  }
}

async function open(
  config: Config,
  supervisor: Supervisor,
  log: ReturnType<typeof createLog>,
): Promise<Caller> {
  try {
    let inForce = config;
    let revision = -1;
    // As the next start will have it.
    const current = (): Config => {
      const { settings } = ground.state;
      if (settings.revision === revision) return inForce;
      revision = settings.revision;
      inForce = applySettings(config, (key) => settings.get(key));
      return inForce;
    };
    let ask = () => config;
    const ground = await openGround({ config: () => ask(), clock: systemClock, log, supervisor });
    ask = current;
    const accountLink = (account: { address: Address; password: string }) => plannedLink(current(), account);
    return new Operations({
      ...ground,
      config: current,
      fileConfig: () => config,
      accountLink,
      inviteLink: (token) => plannedInvite(current(), token),
      survey: createSurvey({ config: current }),
      live: undefined,
    }).as("cli");
  } catch (error) {
    if (error instanceof DatabaseError && error.fault === "busy") return controlCaller(config.stateDir);
    if (error instanceof DatabaseError || error instanceof StorageError || error instanceof StartError) {
      throw new OperationError("unavailable", error.message, { cause: error });
    }
    throw error;
  }
}

function plannedInvite({ publicAddress, hostname, listen }: Config, token: string): string {
  const port = listen.https.find((address) => address.port !== 0)?.port;
  return inviteLink(token, hostOf(publicAddress ?? hostname), port);
}

/** As the relay will say it once it runs, if it gets the ports that the configuration names. */
export function plannedLink(config: Config, account: { address: Address; password: string }): string {
  const port = (name: ListenerName): number | undefined =>
    config.listen[name].find((address) => address.port !== 0)?.port;
  return dcloginLink({
    ...account,
    host: hostOf(config.publicAddress ?? config.hostname),
    ports: {
      imaps: port("imaps"),
      imap: port("imap"),
      submissions: port("submissions"),
      submission: port("submission"),
      https: port("https"),
    },
    trusted: config.tls.mode !== "self-signed",
    security: { imap: config.site.imap_security, smtp: config.site.smtp_security },
  });
}
