/** The figures as families of metrics: those that the peers have, under their names, and ours. */
import { refusals } from "../core/verdict.ts";
import { sizeClasses } from "../storage/expiry.ts";
import type { Family, Sample } from "./exposition.ts";
import type { Figures } from "./figures.ts";
import type { Labelled } from "./tally.ts";

const LATENCY_BOUNDS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000];
const ACTIVE_DAYS = [1, 10, 30, 40, 80, 100, 150] as const;

export function families(figures: Figures): Family[] {
  return [
    ...peerFamilies(figures),
    ...messageFamilies(figures),
    ...connectionFamilies(figures),
    ...storageFamilies(figures),
    ...processFamilies(figures),
  ];
}

/** As maddy and madmail call them. `module` is the kind of port. */
function peerFamilies(figures: Figures): Family[] {
  const { tally, queue } = figures.parts;
  const legacy = (name: string, help: string, samples: Sample[]): Family => ({
    name,
    type: "counter",
    isLegacyName: true,
    help,
    samples,
  });
  const byModule = (counts: Iterable<readonly [string, number]>): Sample[] =>
    Array.from(counts, ([module, value]) => ({ labels: { module }, value }));
  const completed = [...tally.of("messageAccepted"), ...tally.of("messageDropped")];
  const refused = [
    ...tally.of("commandRefused").map(({ labels: [mode = "", command = "", why = ""], count }) => ({
      module: mode,
      command,
      why,
      count,
    })),
    ...tally.of("messageRefused").map(({ labels: [via = "", why = ""], count }) => ({
      module: via,
      command: "DATA",
      why,
      count,
    })),
  ];
  return [
    legacy("maddy_smtp_started_transactions", "Messages begun.", byModule(figures.started)),
    legacy(
      "maddy_smtp_smtp_completed_transactions",
      "Messages accepted.",
      byModule(
        Map.groupBy(completed, ({ labels }) => labels[0] ?? "")
          .entries()
          .map(sumOf),
      ),
    ),
    legacy("maddy_smtp_aborted_transactions", "Messages whose sender left.", byModule(figures.aborted)),
    legacy(
      "maddy_smtp_ratelimit_deferred",
      "Transactions put off for their rate.",
      byModule(
        Map.groupBy(
          refused
            .filter(({ why }) => why === "tooMuchMail")
            .map(({ module, count }) => ({ labels: [module], count })),
          ({ labels }) => labels[0] ?? "",
        )
          .entries()
          .map(sumOf),
      ),
    ),
    legacy("maddy_smtp_failed_logins", "Wrong logins of submission.", [
      { labels: { module: "submission" }, value: tally.total("loginFailed", "smtp") },
    ]),
    legacy(
      "maddy_smtp_failed_commands",
      "Commands refused, by their reply.",
      refused.map(({ module, command, why, count: value }) => {
        const [code = 0, enhanced = ""] = isRefusal(why) ? refusals[why] : [];
        return { labels: { module, command, smtp_code: String(code), smtp_enchcode: enhanced }, value };
      }),
    ),
    {
      name: "maddy_queue_length",
      type: "gauge",
      help: "Messages that wait for other servers.",
      samples: [{ labels: { module: "queue", location: "remote" }, value: queue().messages }],
    },
  ];
}

function isRefusal(why: string): why is keyof typeof refusals {
  return Object.hasOwn(refusals, why);
}

function sumOf([name, group]: [string, readonly Labelled[]]): [string, number] {
  return [name, group.reduce((sum, { count }) => sum + count, 0)];
}

function messageFamilies(figures: Figures): Family[] {
  const { tally, totals, queue } = figures.parts;
  const { latency } = figures;
  const labelled = (kind: Parameters<typeof tally.of>[0], ...names: string[]): Sample[] =>
    tally.of(kind).map(({ labels, count: value }) => ({
      labels: Object.fromEntries(names.map((name, i) => [name, labels[i] ?? ""])),
      value,
    }));
  const { messages, bytes, running } = queue();
  return [
    counter(
      "madmail_messages_accepted",
      "Messages taken since the start.",
      labelled("messageAccepted", "via"),
    ),
    counter("madmail_messages_accepted_bytes", "Their size.", [{ value: tally.acceptedBytes }]),
    counter(
      "madmail_messages_refused",
      "Messages refused, by reason.",
      labelled("messageRefused", "via", "reason"),
    ),
    counter(
      "madmail_messages_dropped",
      "Recipients for whom a message was taken and thrown away, by reason.",
      labelled("messageDropped", "via", "reason"),
    ),
    counter(
      "madmail_messages_sent",
      "Transfers to other servers, by the way they took.",
      labelled("messageSent", "route"),
    ),
    counter(
      "madmail_messages_lifetime",
      "Messages since the database was made.",
      Object.entries(totals()).map(([direction, value]) => ({ labels: { direction }, value })),
    ),
    {
      name: "madmail_delivery_seconds",
      type: "histogram",
      help: "From the last byte of a message to its being durable in its mailboxes and the queue.",
      samples: [
        ...LATENCY_BOUNDS_MS.map((ms) => ({
          suffix: "_bucket",
          labels: { le: String(ms / 1000) },
          value: latency.below(ms),
        })),
        { suffix: "_bucket", labels: { le: "+Inf" }, value: latency.count },
        { suffix: "_sum", value: latency.sumMs / 1000 },
        { suffix: "_count", value: latency.count },
      ],
    },
    gauge("madmail_queue_messages", "Messages that wait for other servers.", messages),
    gauge("madmail_queue_bytes", "Their size.", bytes),
    gauge("madmail_queue_running", "Of them, those being transferred now.", running),
    counter("madmail_logins", "Logins.", labelled("loginSucceeded", "service")),
    counter(
      "madmail_login_failures",
      "Logins refused, by reason.",
      labelled("loginFailed", "service", "reason"),
    ),
  ];
}

function connectionFamilies(figures: Figures): Family[] {
  const now = Object.entries(figures.connections());
  const traffic = Object.entries(figures.traffic());
  const turn = figures.parts.turn();
  const of = (pick: (each: (typeof now)[number][1]) => number): Sample[] =>
    now.map(([service, each]) => ({ labels: { service }, value: pick(each) }));
  return [
    gaugeOf(
      "madmail_connections",
      "Open connections.",
      of(({ connections }) => connections),
    ),
    gaugeOf(
      "madmail_connection_addresses",
      "Different addresses among them.",
      of(({ addresses }) => addresses),
    ),
    counter(
      "madmail_connections_refused",
      "Connections over a limit.",
      figures.parts.tally
        .of("connectionRefused")
        .map(({ labels: [service = "", reason = ""], count: value }) => ({
          labels: { service, reason },
          value,
        })),
    ),
    counter(
      "madmail_traffic_bytes",
      "Bytes by what they are for, inside TLS.",
      traffic.flatMap(([category, { inBytes, outBytes }]) => [
        { labels: { category, direction: "in" }, value: inBytes },
        { labels: { category, direction: "out" }, value: outBytes },
      ]),
    ),
    ...(turn === undefined
      ? []
      : [gauge("madmail_turn_allocations", "Calls that are relayed now.", turn.allocations)]),
  ];
}

function storageFamilies(figures: Figures): Family[] {
  const { accounts, activeAccounts, census } = figures.parts;
  const disk = figures.disk();
  const walked = census();
  return [
    gauge("madmail_accounts", "Accounts.", accounts()),
    gaugeOf(
      "madmail_accounts_active",
      "Accounts that logged in within so many days.",
      ACTIVE_DAYS.map((days) => ({ labels: { days: String(days) }, value: activeAccounts(days) })),
    ),
    ...(disk === undefined
      ? []
      : [
          gauge("madmail_disk_free_bytes", "Room where the state directory lies.", disk.freeBytes),
          gauge("madmail_disk_size_bytes", "Size of that file system.", disk.totalBytes),
        ]),
    ...(walked === undefined
      ? []
      : [
          gauge(
            "madmail_mail_messages",
            "Messages in all mailboxes, at the last walk.",
            walked.counted.messages,
          ),
          gauge("madmail_mail_bytes", "Their size.", walked.counted.bytes),
          gauge("madmail_mail_unseen", "Of them, unread ones.", walked.counted.unseen),
          gauge("madmail_mail_walk_seconds", "When that was, since 1970.", walked.atMs / 1000),
          gaugeOf(
            "madmail_mail_class_messages",
            "Messages by size: each is in the class with the highest lower bound.",
            walked.counted.classes.map(({ messages }, i) => ({
              labels: { min_size: String(sizeClasses[i] ?? 0) },
              value: messages,
            })),
          ),
        ]),
  ];
}

function processFamilies(figures: Figures): Family[] {
  const { residentBytes, heapBytes, cpuSeconds, openFiles, openFilesMax } = figures.process();
  return [
    gauge("madmail_uptime_seconds", "Time since the start.", figures.uptimeMs / 1000),
    counter("process_cpu_seconds", "CPU time.", [{ value: cpuSeconds }]),
    gauge("process_resident_memory_bytes", "Resident memory.", residentBytes),
    gauge("madmail_heap_bytes", "Of it, JavaScript objects.", heapBytes),
    ...(openFiles === undefined ? [] : [gauge("process_open_fds", "Open file descriptors.", openFiles)]),
    ...(openFilesMax === undefined ? [] : [gauge("process_max_fds", "Their limit.", openFilesMax)]),
    gauge(
      "madmail_loop_lag_seconds",
      "How late the event loop was at the last look.",
      figures.lag.lastMs / 1000,
    ),
    gauge(
      "madmail_loop_lag_p99_seconds",
      "How late it was at worst, but for one look in a hundred, since the start.",
      figures.lag.histogram.quantile(0.99) / 1000,
    ),
  ];
}

function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "counter", help, samples };
}

function gauge(name: string, help: string, value: number): Family {
  return gaugeOf(name, help, [{ value }]);
}

function gaugeOf(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "gauge", help, samples };
}
