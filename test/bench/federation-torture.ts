/**
 * `bun run bench federation-torture`: the compiled relay, 10,000 messages to 500 servers on sockets, of which 100 hang, 50
 * refuse every recipient and at 50 nobody listens; kill -9 when a third of what can be delivered is.
 * `TORTURE_MESSAGES`, `TORTURE_SERVERS` make it smaller.
 */
import { torture } from "../support/torture.ts";

const messages = Number(process.env["TORTURE_MESSAGES"] ?? 10_000);
const destinations = Number(process.env["TORTURE_SERVERS"] ?? 500);
const result = await torture({
  name: "bench-federation-torture",
  messages,
  destinations,
  senders: 8,
  bytes: 10_000,
  killAfter: Math.round(messages / 5),
  concurrency: 200,
  timeoutMs: 300_000,
});
const round = (value: number) => Math.round(value).toLocaleString("en");
console.log(`messages to servers                   ${round(messages)} to ${destinations}, with one kill -9
all accepted after                    ${round(result.acceptedMs)} ms
servers that are well have all after  ${round(result.healthyMs)} ms (${round(result.healthy)} messages)
never taken                           ${result.missing.length}
taken twice, across the kill          ${result.twice}
taken twice by one life of the relay  ${result.twiceInOneLife.length}
refused                               ${round(result.refused)}: ${result.unreported.length} unreported, ${result.reportedTwice} reported twice
waiting for servers that are away     ${round(result.waiting)}
CPU per message                       ${result.cpuMsPerMessage.toFixed(2)} ms
resident memory at most               ${round(result.memoryPeakMb)} MB
open files at most                    ${result.filesPeak}`);
process.exit(result.missing.length + result.twiceInOneLife.length + result.unreported.length === 0 ? 0 : 1);
