/**
 * The log: everything is counted, what the operator's level asks for is printed, one line an event.
 * `level=info event=messageAccepted via=submission bytes=4711 recipients=2`
 *
 * Invariant: nothing printed names a person. Numbers and words of the closed union go out as they are; all other text
 * passes `redact`, whatever its origin.
 */
import type { Event, Log } from "./events.ts";
import { redact } from "./redact.ts";

/** Distinct counters; beyond it events are counted by kind only, so that no reason text can grow the map. */
const COUNTERS_MAX = 1000;
/** Errors behind an error that are told. */
const CAUSES_MAX = 4;
/** Frames of our own that an internal fault shows. */
const FRAMES_MAX = 3;

export type LogLevel = "off" | "error" | "info" | "debug";

const rankOf: Record<LogLevel, number> = { off: 0, error: 1, info: 2, debug: 3 };

/** From which level on an event is printed. */
const levelOf: Record<Event["kind"], Exclude<LogLevel, "off">> = {
  internalFault: "error",
  storageTrouble: "error",
  certificateFailed: "error",
  certificateExpiring: "error",
  certificateObtained: "info",
  notice: "info",
  accountCreated: "info",
  operation: "info",
  loginFailed: "info",
  messageAccepted: "info",
  messageRefused: "info",
  messageDropped: "info",
  messageSent: "info",
  messageDeferred: "info",
  messageBounced: "info",
  connectionRefused: "info",
  pushSent: "debug",
  pushFailed: "info",
  pushDropped: "info",
  pushPaused: "info",
  tunnelOpened: "debug",
  tunnelRefused: "debug",
  connectionOpened: "debug",
  connectionClosed: "debug",
  tlsFailed: "debug",
  loginSucceeded: "debug",
  protocolError: "debug",
};

/** @param sink takes one line without its line end */
export function createLog(level: LogLevel, sink: (line: string) => void): Log {
  const counts = new Map<string, number>();
  const threshold = rankOf[level];
  return {
    emit(event) {
      count(counts, event);
      if (rankOf[levelOf[event.kind]] <= threshold) sink(format(event));
    },
    counts: () => counts,
  };
}

function count(counts: Map<string, number>, event: Event): void {
  const exact = "why" in event ? `${event.kind}.${event.why}` : event.kind;
  const name = counts.has(exact) || counts.size < COUNTERS_MAX ? exact : event.kind;
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function format(event: Event): string {
  const { kind, ...fields } = event;
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${formatValue(value)}`);
  return [`level=${levelOf[kind]}`, `event=${kind}`, ...pairs].join(" ");
}

function formatValue(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = redact(typeof value === "string" ? value : describe(value));
  return /^[\w.<>-]+$/.test(text) ? text : JSON.stringify(text);
}

/** An error with its causes and the first frames, which name places in this program. */
function describe(error: unknown): string {
  const told: string[] = [];
  for (let current = error; told.length < CAUSES_MAX; current = current.cause) {
    if (!(current instanceof Error)) {
      if (told.length === 0) told.push(typeof current === "string" ? current : `thrown ${typeof current}`);
      break;
    }
    told.push(`${current.name}: ${current.message}${framesOf(current)}`);
  }
  return told.join(" <- ");
}

function framesOf(error: Error): string {
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return frames
    .slice(0, FRAMES_MAX)
    .map((frame) => ` ${frame.trim()}`)
    .join("");
}
