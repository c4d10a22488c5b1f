/** Push notifications as the configuration in force wants them. */
import type { Config } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { DeviceTokens } from "../db/device-tokens.ts";
import type { Db } from "../db/open.ts";
import { PushJobRows } from "../db/push-jobs.ts";
import type { Log } from "../log/events.ts";
import { postToken } from "../push/post.ts";
import { Pusher } from "../push/pusher.ts";

export interface PushParts {
  db: Db;
  tokens: DeviceTokens;
  config: () => Config;
  log: Log;
  clock: Clock;
}

export function createPusher({ db, tokens, config, log, clock }: PushParts): Pusher {
  return new Pusher({
    tokens,
    jobs: new PushJobRows(db),
    mode: () => config().push.mode,
    post: (token, signal) => postToken(config().push.endpoint, token, signal),
    log,
    clock,
  });
}
