/** Push notifications as configuration and settings want them. */
import type { Config } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { DeviceTokens } from "../db/device-tokens.ts";
import type { Db } from "../db/open.ts";
import { PushJobRows } from "../db/push-jobs.ts";
import type { Log } from "../log/events.ts";
import type { Traffic } from "../net/traffic.ts";
import { postToken } from "../push/post.ts";
import { Pusher, type PushMode } from "../push/pusher.ts";
import { type Settings, settingKeys } from "../state/settings.ts";

export interface PushParts {
  db: Db;
  tokens: DeviceTokens;
  config: () => Config;
  settings: Pick<Settings, "get" | "flag">;
  /** Tokens sent, in bytes; what HTTPS adds is not counted. */
  traffic: Traffic;
  log: Log;
  clock: Clock;
}

export function createPusher({ db, tokens, config, settings, traffic, log, clock }: PushParts): Pusher {
  return new Pusher({
    tokens,
    jobs: new PushJobRows(db),
    mode: () => pushMode(config(), settings),
    post: (token, signal) => {
      traffic.outBytes += token.length;
      return postToken(config().push.endpoint, token, signal);
    },
    log,
    clock,
  });
}

/** The mode in force: `__PUSH_MODE__`, `__PUSH_ENABLED__` where only that is set, then the configuration. */
export function pushMode(config: Config, settings: PushParts["settings"]): PushMode {
  const set = settings.get(settingKeys.pushMode)?.trim().toLowerCase();
  if (set === "on" || set === "off" || set === "auto") return set;
  const flag = settings.flag(settingKeys.pushEnabled);
  if (flag === undefined) return config.push.mode;
  return flag ? "auto" : "off";
}
