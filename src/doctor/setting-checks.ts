/** What the configuration says that an operator may not have meant, and the certificate. */
import { hostOf } from "../core/address.ts";
import { dial } from "../net/outgoing.ts";
import type { CertificateStatus } from "../tls/status.ts";
import type { Check } from "./check.ts";
import { fail, type Finding, found, messageOf, type Trouble, warn } from "./finding.ts";
import { reachable } from "./line-talk.ts";
import type { World } from "./world.ts";

const DAY_HOURS = 24;
/** Of a certificate that lives as long as they used to. */
const SOON_HOURS = 14 * DAY_HOURS;
const CONNECT_MAX_MS = 5000;

export const settingChecks: readonly Check[] = [
  { name: "configuration", title: "Configuration", run: checkConfiguration },
  { name: "certificate", title: "Certificate", needs: "books", run: checkCertificate },
];

function checkConfiguration({ config, books }: World): Finding {
  const { domains, federation, storage, smtp } = config;
  const named = domains.filter((domain) => !domain.startsWith("["));
  const pending = books?.pendingSettings() ?? [];
  const clients = [...config.listen.imaps, ...config.listen.imap];
  const senders = [...config.listen.submissions, ...config.listen.submission];
  return found(
    `for ${domains.join(", ")}`,
    clients.length === 0
      ? fail("nobody can fetch mail: imap and imaps are off", "name addresses for imaps in [listen]")
      : undefined,
    senders.length === 0
      ? fail(
          "nobody can send mail: submission and submissions are off",
          "name addresses for submissions in [listen]",
        )
      : undefined,
    federation.enabled && config.listen.smtp.length + config.listen.https.length === 0
      ? fail(
          "other servers can't bring mail: smtp and https are off",
          "name addresses for them in [listen], or turn [federation] off",
        )
      : undefined,
    smtp.allow_remote_recipients
      ? warn(
          "this is an open relay: anybody may send mail to anybody through port 25",
          "madmail openrelay disable, unless the network is closed",
        )
      : undefined,
    federation.allow_private_addresses && named.length > 0
      ? warn(
          "domains of others may lead to this machine's own network",
          "take `allow_private_addresses` out of [federation], unless this is a test",
        )
      : undefined,
    storage.fsync === "always"
      ? undefined
      : warn(
          `accepted mail may be lost in a power cut: fsync is ${storage.fsync}`,
          'set fsync = "always" in [storage]',
        ),
    pending.length === 0
      ? undefined
      : warn(
          `settings wait to be in force: ${pending.join(", ")}`,
          "madmail reload; what is left then needs a restart",
        ),
  );
}

async function checkCertificate(world: World, stop: AbortSignal): Promise<Finding> {
  const { books, config } = world;
  if (books === undefined) return { skipped: "the state directory can't be opened" };
  let status: CertificateStatus;
  try {
    status = await books.certificate();
  } catch (error) {
    return found(
      "",
      fail(
        `no usable certificate: ${messageOf(error)}`,
        "see `mode`, `cert` and `key` in [tls]; key and certificate must belong together",
      ),
    );
  }
  const { facts, mode, interim } = status;
  const kind = facts.selfSigned ? "self-signed: clients need this relay's own links" : "by an authority";
  const until = new Date(facts.notAfterMs).toISOString().slice(0, 10);
  const expiry = expiryTrouble(status, world.clock.nowMs());
  const untrusted = facts.trusted && expiry === undefined ? await trustTrouble(world, stop) : undefined;
  return found(
    `for ${facts.names.join(", ")}, until ${until}, ${kind}`,
    expiry,
    nameTrouble(facts.names, hostOf(config.hostname)),
    untrusted,
    mode === "acme" && interim
      ? warn(
          `the authority has given no certificate yet${lastFailure(status)}`,
          "see `madmail certificate status`; port 80 must be reachable for http-01",
        )
      : undefined,
    mode === "acme" && !interim && (status.acme?.failures ?? 0) > 2
      ? warn(
          `renewal failed ${status.acme?.failures} times${lastFailure(status)}`,
          "see `madmail certificate status`",
        )
      : undefined,
    mode === "file" && facts.selfSigned && !config.hostname.startsWith("[")
      ? warn(
          "the certificate of [tls] is self-signed: clients with a strict check refuse it",
          'get one from an authority (`mode = "acme"`)',
        )
      : undefined,
  );
}

function expiryTrouble({ facts, hoursLeft, mode }: CertificateStatus, nowMs: number): Trouble | undefined {
  const mend = {
    acme: "madmail certificate renew; `madmail certificate status` tells why it was not renewed",
    file: "put the new one into the files that [tls] names; `madmail reload` takes it at once",
    "self-signed": "restart the relay: it makes a new one",
  }[mode];
  if (hoursLeft < 0) {
    const what = `it expired on ${new Date(facts.notAfterMs).toISOString().slice(0, 10)}: clients and servers refuse it`;
    return fail(what, mend);
  }
  if (facts.notBeforeMs > nowMs) return fail("it is not valid yet", "set the clock right");
  // A third of what it lives, as renewals are planned; short-lived ones are always near their end.
  const lifeHours = (facts.notAfterMs - facts.notBeforeMs) / 3_600_000;
  return hoursLeft < Math.min(SOON_HOURS, lifeHours / 4)
    ? warn(`it ends in ${Math.floor(hoursLeft / DAY_HOURS)} days and ${hoursLeft % DAY_HOURS} hours`, mend)
    : undefined;
}

function nameTrouble(names: readonly string[], host: string): Trouble | undefined {
  const covers = names.some((name) => {
    const lower = name.toLowerCase();
    return (
      lower === host || (lower.startsWith("*.") && host.split(".").slice(1).join(".") === lower.slice(2))
    );
  });
  return covers
    ? undefined
    : fail(
        `it is for ${names.join(", ")}, and clients connect to ${host}`,
        "get one for that name, or set `hostname` to a name it has",
      );
}

function lastFailure({ acme }: CertificateStatus): string {
  return acme?.lastFailure === undefined ? "" : `: ${acme.lastFailure.message}`;
}

/** Whether a client with the usual roots takes what the listener shows, chain and all. */
async function trustTrouble(world: World, stop: AbortSignal): Promise<Trouble | undefined> {
  const { running, config, clock } = world;
  const at = running?.addresses()["imaps"]?.[0] ?? running?.addresses()["https"]?.[0];
  if (at === undefined) return undefined;
  const { host, port } = reachable(at);
  const dialled = await dial({ addresses: [host], port, timeoutMs: CONNECT_MAX_MS, stop, clock });
  if (!dialled.ok) return undefined;
  const name = hostOf(config.hostname);
  const why = await dialled.socket.secure({ serverName: name, verify: true }, CONNECT_MAX_MS);
  dialled.socket.destroy();
  if (why === undefined) return undefined;
  return fail(
    `a client with a strict check refuses it (${why})`,
    "the file of `cert` must hold the whole chain, the server's certificate first",
  );
}
