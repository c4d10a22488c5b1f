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

export type EventLevel = Exclude<LogLevel, "off">;

/** What is printed, how, and where to. */
export interface LogOutput {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  /** Takes one line without its line end. */
  readonly sink: (line: string, level: EventLevel) => void;
}

/** A log whose output can be changed while it is in use; what was counted stays. */
export interface AdjustableLog extends Log {
  adjust(output: LogOutput): void;
}

/** From which level on an event is printed. */
const levelOf: Record<Event["kind"], EventLevel> = {
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
  commandRefused: "debug",
  taskEnded: "debug",
  connectionOpened: "debug",
  connectionClosed: "debug",
  tlsFailed: "debug",
  loginSucceeded: "debug",
  protocolError: "debug",
};

/** @param sink takes one line without its line end */
export function createLog(
  level: LogLevel,
  sink: LogOutput["sink"],
  form: LogOutput["format"] = "text",
): AdjustableLog {
  const counts = new Map<string, number>();
  let output: LogOutput = { level, sink, format: form };
  return {
    emit(event) {
      count(counts, event);
      const eventLevel = levelOf[event.kind];
      if (rankOf[eventLevel] > rankOf[output.level]) return;
      output.sink(output.format === "json" ? formatJson(event) : format(event), eventLevel);
    },
    counts: () => counts,
    adjust(next) {
      output = next;
    },
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

function formatJson(event: Event): string {
  const { kind, ...fields } = event;
  const pairs = Object.entries(fields).map(([name, value]) => [name, plainValue(value)]);
  return JSON.stringify({ level: levelOf[kind], event: kind, ...Object.fromEntries(pairs) });
}

function plainValue(value: unknown): string | number | boolean {
  if (typeof value === "number" || typeof value === "boolean") return value;
  return redact(typeof value === "string" ? value : describe(value));
}

function formatValue(value: unknown): string {
  const text = plainValue(value);
  if (typeof text !== "string") return String(text);
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
