/** Mail in the browser on the site's ports, while the settings say so. */
import { farewells } from "../http/webmail/guests.ts";
import { Webmail } from "../http/webmail/webmail.ts";
import type { Ground } from "./ground.ts";
import type { Mail } from "./mail.ts";
import type { Supervisor } from "./supervisor.ts";

/** The caller stops it while clients can still be told. */
export function openWebmail(ground: Ground, supervisor: Supervisor, { auth, door }: Mail): Webmail {
  const { config, store, hub, revocations, clock, log } = ground;
  const webmail = new Webmail({ settings: () => config().webmail, store, hub, auth, door, clock, log });
  revocations.onRevoked((user) => webmail.dismiss(user, farewells.revoked));
  supervisor.onReload((next) => {
    if (!next.webmail.imap) webmail.dismissAll(farewells.turnedOff);
  });
  return webmail;
}
