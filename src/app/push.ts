/** Push notifications as the configuration in force wants them. */
import type { Config } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { DeviceTokens } from "../db/device-tokens.ts";
import type { Db } from "../db/open.ts";
import { PushJobRows } from "../db/push-jobs.ts";
import type { Log } from "../log/events.ts";
import type { Traffic } from "../net/traffic.ts";
import { postToken } from "../push/post.ts";
import { Pusher } from "../push/pusher.ts";

export interface PushParts {
  db: Db;
  tokens: DeviceTokens;
  config: () => Config;
  /** Tokens sent, in bytes; what HTTPS adds is not counted. */
  traffic: Traffic;
  log: Log;
  clock: Clock;
}

export function createPusher({ db, tokens, config, traffic, log, clock }: PushParts): Pusher {
  return new Pusher({
    tokens,
    jobs: new PushJobRows(db),
    mode: () => config().push.mode,
    post: (token, signal) => {
      traffic.outBytes += token.length;
      return postToken(config().push.endpoint, token, signal);
    },
    log,
    clock,
  });
}
