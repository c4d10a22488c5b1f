/** Sections of `madmail.toml` about what runs beside the mail: maintenance, metrics, the log. */
import { z } from "zod";
import { duration, endpoints, size } from "./schema-fields.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Timers hold no more than 24 days. */
const interval = (minMs: number, fallbackMs: number, doc: string) =>
  duration
    .refine((ms) => ms === 0 || (ms >= minMs && ms <= 14 * DAY_MS), "an interval from one minute to 14d")
    .default(fallbackMs)
    .meta({ description: doc });
const age = (fallbackMs: number, doc: string) => duration.default(fallbackMs).meta({ description: doc });
const percent = (fallback: number, doc: string) =>
  z.number().int().min(0).max(100).default(fallback).meta({ description: doc });

export const maintenance = z.strictObject({
  interval: interval(
    60_000,
    HOUR_MS,
    "Time between two walks over all mail and accounts; `0s` leaves it to `madmail tasks run`.",
  ),
  mail_retention: age(
    20 * DAY_MS,
    "Mail older than this is deleted, read or not; `0s` keeps it. A setting made at run time wins.",
  ),
  large_mail_retention: age(
    7 * DAY_MS,
    "Read mail of at least `large_mail_size` older than this goes; `0s` keeps it.",
  ),
  large_mail_size: size.default(200_000).meta({ description: "From which size on mail counts as large." }),
  purge_seen: z.boolean().default(false).meta({
    description:
      "Delete read mail at each walk, whatever its age; clients with several devices may miss mail.",
  }),
  seen_retention: age(
    0,
    "Read mail older than this is deleted; `0s` makes no difference between read and unread.",
  ),
  unread_retention: age(
    0,
    "Mail that nobody read and that is older than this is deleted; `0s` is no such rule.",
  ),
  shrink_above: percent(
    75,
    "Mailboxes fuller than so many percent of their quota lose their oldest mail (never of the last 24 hours); 0 is never.",
  ),
  shrink_to: percent(70, "Percent of the quota that is left by that. Clients warn at 80."),
  dormant_accounts: age(
    90 * DAY_MS,
    "Accounts without a login for so long are removed, with their mail; `0s` keeps them.",
  ),
  unused_accounts: age(30 * DAY_MS, "Accounts that were handed out and never logged in; `0s` keeps them."),
  check_interval: interval(
    60_000,
    0,
    "Time between two comparisons of all mail on disk with its index; `0s`: only `madmail tasks run check-storage`.",
  ),
});

export const metrics = z.strictObject({
  listen: endpoints(
    [],
    "Where `/metrics` (OpenMetrics), `/healthz` and `/readyz` answer, such as `127.0.0.1:9749`; without encryption and password, so keep it local. Off when empty.",
  ),
});

export const log = z.strictObject({
  level: z
    .enum(["off", "error", "info", "debug"])
    .default("off")
    .meta({ description: "What is printed. No level names people. Read again on SIGHUP." }),
  to: z.enum(["stderr", "journal", "file"]).default("stderr").meta({
    description:
      "Where to. `journal`: standard error with priorities for systemd. `stderr` does so too where it is the journal.",
  }),
  file: z.string().min(1).optional().meta({
    description: 'The file for `to = "file"`, made for its owner only; opened anew on SIGHUP.',
  }),
  format: z
    .enum(["text", "json"])
    .default("text")
    .meta({ description: "`text`: name=value pairs. `json`: one object a line." }),
});
