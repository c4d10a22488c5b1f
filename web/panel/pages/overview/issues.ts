/** What an operator should look at, the worst first. */
import { ago, percent } from "../../format.ts";
import { texts } from "../../texts.ts";
import type { Glance } from "../overview.tsx";

export interface Issue {
  text: string;
  /** Where it is mended. */
  path: string;
  isBad: boolean;
}

const HOUR_MS = 3_600_000;
/** An authority's certificate is renewed long before. */
const SHORT_HOURS = 14 * 24;
const DISK_WARN_SHARE = 0.8;
const DISK_BAD_SHARE = 0.95;
const OLD_QUEUE_MS = 6 * HOUR_MS;

export function issuesOf({ storage, queue, traffic, certificate, services }: Glance): Issue[] {
  const t = texts.value.overview.issues;
  const issues: Issue[] = [];
  const add = (is: boolean, text: () => string, path: string, isBad = false) => {
    if (is) issues.push({ text: text(), path, isBad });
  };
  const { disk } = storage;
  const share = disk === null ? 0 : 1 - disk.freeBytes / disk.totalBytes;
  const { hoursLeft, interim, selfSigned } = certificate;
  add(services.openRelay.enabled, () => t.openRelay, "/services", true);
  add(share >= DISK_BAD_SHARE, () => t.disk(percent(share)), "/care", true);
  add(
    hoursLeft < SHORT_HOURS,
    () => t.expires(ago(Date.now() + hoursLeft * HOUR_MS)),
    "/setup/certificate",
    hoursLeft < 48,
  );
  add(interim, () => t.interim, "/setup/certificate");
  add(selfSigned && !interim, () => t.selfSigned, "/setup/certificate");
  add(traffic.health.bad > 0, () => t.badServers(traffic.health.bad), "/federation?health=bad");
  const oldest = queue.oldestQueuedAtMs;
  add(oldest !== null && Date.now() - oldest > OLD_QUEUE_MS, () => t.oldQueue(ago(oldest ?? 0)), "/queue");
  add(services.push.resting, () => t.pushRests, "/services");
  add(share >= DISK_WARN_SHARE && share < DISK_BAD_SHARE, () => t.disk(percent(share)), "/care");
  return issues.sort((a, b) => Number(b.isBad) - Number(a.isBad));
}
