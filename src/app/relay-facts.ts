/** What the rooms are told of configuration and state when the relay puts them together. */
import { mkdirSync } from "node:fs";
import type { Registration } from "../auth/registration.ts";
import type { RevokedWhy } from "../auth/revocations.ts";
import type { Config } from "../config/config.ts";
import { hostOf } from "../core/address.ts";
import type { SiteFacts } from "../http/facts.ts";
import type { Registration as SiteRegistration } from "../http/new.ts";
import type { HotState } from "../state/hot-state.ts";
import { type Settings, settingKeys } from "../state/settings.ts";
import type { TlsMaterialStore } from "../tls/material.ts";
import { DkimKeyError, type DkimKeys } from "./dkim-keys.ts";
import type { Listeners } from "./listeners.ts";

const IMAP_IDLE_TIMEOUT_MS = 30 * 60_000;
const LOGIN_TIMEOUT_MS = 60_000;
const FAILED_LOGIN_DELAY_MS = 2000;

/** A state directory that can't be used, or a mode that is not there; the message is for the operator. */
export class StartError extends Error {}

/** @throws {StartError} when it can't be made */
export function makeStateDir(stateDir: string): void {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new StartError(
      `state_dir: expected a directory this user can write to, found ${stateDir} (${code})`,
      {
        cause: error,
      },
    );
  }
}

/** What could not be taken, for the operator. */
export function reloadKeys(keys: DkimKeys): string | undefined {
  try {
    keys.reload();
    return undefined;
  } catch (error) {
    if (!(error instanceof DkimKeyError)) throw error;
    return `DKIM keys not read again: ${error.message}`;
  }
}

/** What BYE tells the client. */
export const revokedTexts: Record<RevokedWhy, string> = {
  removed: "Account removed",
  retired: "Account removed",
  blocked: "Account disabled",
  passwordChanged: "Log in again",
};

/** Settings that only a start can take. */
export const restartOnly = ["stateDir", "hostname", "domains", "storage", "dns"] as const;

/** `next` without what a change of settings leaves to the reload: see the effects in config/setting-table.ts. */
export function keepUntilReload(next: Config, current: Config): Config {
  const { hostname, listen, turn, iroh, shadowsocks } = current;
  const { cipher, password } = shadowsocks;
  return {
    ...next,
    hostname,
    listen,
    turn: { ...next.turn, listen: turn.listen },
    iroh: { ...next.iroh, listen: iroh.listen },
    shadowsocks: { ...next.shadowsocks, listen: shadowsocks.listen, cipher, password },
  };
}

export function imapSettings({ imap, limits }: Config, push: boolean) {
  return {
    push,
    capabilities: imap.capabilities,
    compress: imap.compress,
    idleKeepaliveMs: imap.idle_keepalive,
    idleTimeoutMs: IMAP_IDLE_TIMEOUT_MS,
    loginTimeoutMs: LOGIN_TIMEOUT_MS,
    messageMaxBytes: limits.message_size,
    failedLoginDelayMs: FAILED_LOGIN_DELAY_MS,
  };
}

/** Directory of the operator's own pages, where there is one. */
export function siteDir(config: Config, settings: Settings): string | undefined {
  const wanted = settings.get(settingKeys.wwwDir);
  if (wanted === "embedded") return undefined;
  return wanted ?? config.site.www_dir;
}

export function siteFacts(
  config: Config,
  listeners: Listeners,
  tls: TlsMaterialStore,
): Omit<SiteFacts, "quotaBytes"> {
  const port = (name: "imap" | "imaps" | "submission" | "submissions" | "https") => listeners.port(name);
  return {
    domain: config.domains[0],
    host: hostOf(config.publicAddress ?? config.hostname),
    ports: {
      imaps: port("imaps"),
      imap: port("imap"),
      submissions: port("submissions"),
      submission: port("submission"),
      https: port("https"),
    },
    linkSecurity: { imap: config.site.imap_security, smtp: config.site.smtp_security },
    trusted: tls.facts().trusted,
    messageMaxBytes: config.limits.message_size,
    language: config.site.language === "auto" ? undefined : config.site.language,
    sharing: config.site.contact_sharing,
    download: config.site.download && Bun.isStandaloneExecutable,
    securityContact: config.site.security_contact,
  };
}

export function siteRegistration(registration: Registration, state: HotState): SiteRegistration {
  return {
    status: () => {
      if (state.settings.tokenRequired) return "tokenRequired";
      return state.settings.registrationOpen ? "open" : "closed";
    },
    createAccount: (request) => registration.createAccount(request),
  };
}
