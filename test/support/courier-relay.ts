/**
 * The relay with a courier that goes nowhere: it appends `<run> <Message-ID> <recipient>` for each recipient to
 * `transfers.log` in the state directory, as a peer that has taken the message. Domains that begin with `dead` are silent,
 * those with `slow` take their time. Run as `madmail run --config … --state-dir … --json`.
 */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Relay } from "../../src/app/relay.ts";
import { takeGlobals } from "../../src/cli/globals.ts";
import { readConfig } from "../../src/config/read.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { Courier, Outcome } from "../../src/delivery/courier.ts";
import { createLog } from "../../src/log/log.ts";
import { fieldText, findField, headerEnd, parseFields } from "../../src/mime/header.ts";

const SLOW_MS = 20;
const HEAD_BYTES = 65_536;
const unreachable: Outcome = { do: "defer", reply: { code: 421, enhanced: "4.4.1", text: "No answer" } };

const { globals } = takeGlobals(process.argv.slice(3));
const config = readConfig(globals.config ?? "", { stateDir: globals.stateDir });
const transfers = join(config.stateDir, "transfers.log");
const run = process.pid;

const courier: Courier = {
  async deliver(message, stop) {
    const body = await message.open();
    const head = await body.read(0, HEAD_BYTES);
    await body.close();
    const field = findField(parseFields(head.subarray(0, headerEnd(head))), "message-id");
    const messageId = field === undefined ? "none" : fieldText(head, field);
    if (message.domain.startsWith("slow")) await delay(SLOW_MS);
    const isDead = message.domain.startsWith("dead") || stop.aborted;
    const outcome: Outcome = isDead ? unreachable : { do: "sent" };
    if (!isDead) {
      appendFileSync(transfers, message.recipients.map((each) => `${run} ${messageId} ${each}\n`).join(""));
    }
    return {
      outcomes: new Map(message.recipients.map((each) => [each, outcome] as const)),
      route: isDead ? undefined : "https",
      attempts: [],
      latencyMs: 1,
    };
  },
};

const relay = new Relay({
  config,
  reread: () => readConfig(globals.config ?? "", { stateDir: globals.stateDir }),
  log: createLog(config.log.level, (line) => process.stderr.write(`${line}\n`)),
  clock: systemClock,
  courier,
});
const listeners = await relay.start();
process.stdout.write(`${JSON.stringify({ ready: true, listeners })}\n`);
process.on("SIGTERM", () => void relay.stop().then(() => process.exit(0)));
process.on("SIGHUP", () => void relay.reload());
