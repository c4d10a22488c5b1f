/**
 * Where log lines go. Standard error that is systemd's journal gets priorities (sd-daemon(3)): `<3>` error, `<6>` info,
 * `<7>` debug. A file is opened for its owner only, and anew when asked, so that it can be moved away.
 */
import { closeSync, fstatSync, openSync, writeSync } from "node:fs";
import type { EventLevel } from "./log.ts";

const OWNER_ONLY = 0o600;
const STDERR = 2;
const priorities: Record<EventLevel, number> = { error: 3, info: 6, debug: 7 };

export interface LogPlace {
  readonly to: "stderr" | "journal" | "file";
  readonly file: string | undefined;
}

export class LogDestination {
  #prefixes = false;
  #fd = STDERR;

  /** @param place may be changed later @throws errno errors when the file can't be opened */
  constructor(place: LogPlace) {
    this.open(place);
  }

  /** @throws errno errors when the file can't be opened; then it goes on as before */
  open({ to, file }: LogPlace): void {
    const fd = to === "file" && file !== undefined ? openSync(file, "a", OWNER_ONLY) : STDERR;
    const before = this.#fd;
    this.#fd = fd;
    this.#prefixes = to === "journal" || (to === "stderr" && isJournal(STDERR));
    if (before !== STDERR) closeSync(before);
  }

  /** One line without its end. A full disk or a closed pipe loses it: the mail goes on. */
  write(line: string, level: EventLevel): void {
    const text = this.#prefixes ? `<${priorities[level]}>${line}\n` : `${line}\n`;
    if (this.#fd === STDERR) process.stderr.write(text);
    else {
      try {
        writeSync(this.#fd, text);
      } catch {
        // There is no other place to say it.
      }
    }
  }
}

/** systemd names the device and inode of the journal's socket. @param environment for tests */
export function isJournal(fd: number, environment = process.env["JOURNAL_STREAM"]): boolean {
  if (environment === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd);
    return environment === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
