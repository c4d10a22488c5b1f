/**
 * The web: requests per second for the start page, `/new` and `/mxdeliv` over TLS with kept connections, and what one
 * costs the server. Run: `bun test/bench/site.ts [seconds]`. The generator is on the same machine and takes its share.
 */
import { pgpMessage } from "../support/pgp-mail.ts";
import { cpuMs, imapLogin, percentile, removeLeftovers, withRelay } from "./lab.ts";

const SECONDS = Number(process.argv[2] ?? 5);
const CLIENTS = 16;
const WARM_UP_MS = 500;

interface Load {
  name: string;
  request: () => [url: string, init: RequestInit];
  wanted: number;
}

await withRelay("site", async (relay) => {
  const origin = `https://127.0.0.1:${relay.ports.https}`;
  const user = `reader00@${relay.domain}`;
  (await imapLogin(relay, user)).close();
  const first = await fetch(origin, { tls: { rejectUnauthorized: false } });
  const etag = first.headers.get("etag") ?? "";
  await first.arrayBuffer();
  const mail = await pgpMessage({ from: "writer@[127.0.0.1]", to: user, messageId: "bench@relay.test" });
  const loads: Load[] = [
    {
      name: "GET / (brotli)",
      request: () => [origin, { headers: { "accept-encoding": "br" }, decompress: false } as RequestInit],
      wanted: 200,
    },
    {
      name: "GET / (not modified)",
      request: () => [origin, { headers: { "if-none-match": etag } }],
      wanted: 304,
    },
    { name: "GET /info", request: () => [`${origin}/info`, {}], wanted: 200 },
    { name: "GET /nothing", request: () => [`${origin}/nothing`, {}], wanted: 404 },
    { name: "POST /new", request: () => [`${origin}/new`, { method: "POST" }], wanted: 200 },
    {
      name: "POST /mxdeliv (10 kB)",
      request: () => [
        `${origin}/mxdeliv`,
        {
          method: "POST",
          headers: { "X-Mail-From": "writer@[127.0.0.1]", "X-Mail-To": user },
          body: mail,
        },
      ],
      wanted: 200,
    },
  ];
  console.log("| Request | per second | p50 | p99 | server CPU each |\n|---|--:|--:|--:|--:|");
  for (const load of loads) console.log(await measure(load, relay.pid));
});
removeLeftovers();

async function measure({ name, request, wanted }: Load, pid: number): Promise<string> {
  const times: number[] = [];
  const others = new Map<number, number>();
  const run = async (untilMs: number, keep: boolean) => {
    while (performance.now() < untilMs) {
      const startedAt = performance.now();
      const [url, init] = request();
      const answer = await fetch(url, { ...init, tls: { rejectUnauthorized: false } });
      await answer.arrayBuffer();
      if (answer.status !== wanted) others.set(answer.status, (others.get(answer.status) ?? 0) + 1);
      if (keep) times.push(performance.now() - startedAt);
    }
  };
  const all = (ms: number, keep: boolean) => {
    const untilMs = performance.now() + ms;
    return Promise.all(Array.from({ length: CLIENTS }, () => run(untilMs, keep)));
  };
  await all(WARM_UP_MS, false);
  const cpuBefore = cpuMs(pid);
  const startedAt = performance.now();
  await all(SECONDS * 1000, true);
  const perSecond = times.length / ((performance.now() - startedAt) / 1000);
  const cpu = (cpuMs(pid) - cpuBefore) / times.length;
  const odd = [...others].map(([status, count]) => ` ${count} × ${status}`).join(",");
  const ms = (part: number) => `${percentile(times, part).toFixed(1)} ms`;
  return `| ${name}${odd} | ${perSecond.toFixed(0)} | ${ms(0.5)} | ${ms(0.99)} | ${cpu.toFixed(2)} ms |`;
}
