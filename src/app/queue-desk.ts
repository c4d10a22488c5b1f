/**
 * The queue as the command line sees it: reading is done from the directory, whether a relay runs on it or not; changes
 * are made by the running relay, or here when there is none.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Domain } from "../core/address.ts";
import { LocalChangeHub } from "../core/changes.ts";
import { systemClock } from "../core/clock.ts";
import { parseJson } from "../core/json.ts";
import { lockStateDirectory } from "../db/lock.ts";
import { DatabaseError } from "../db/open.ts";
import { decodeLetter, encodeLetter, type Letter } from "../delivery/queue/letter.ts";
import type { Selection } from "../delivery/queue/entry-index.ts";
import { createLog } from "../log/log.ts";
import { MaildirStore } from "../storage/maildir.ts";
import type { Outbox } from "../storage/store.ts";
import { controlAnswer, controlDirectory, type ControlRequest } from "./queue-control.ts";

const ANSWER_TIMEOUT_MS = 5000;
const LOOK_EVERY_MS = 20;

export interface DeskEntry {
  id: string;
  bytes: number;
  letter: Letter;
}

/** What came of a change: how many entries, and who made it. `unanswered`: the relay did not react in time. */
export type DeskResult = { by: "relay" | "command"; count: number } | { by: "unanswered" };

export class QueueDesk {
  readonly #stateDir: string;
  readonly #outbox: Outbox;

  constructor(stateDir: string) {
    this.#stateDir = stateDir;
    // Never started: only its outbox is used, and nothing is swept.
    this.#outbox = new MaildirStore({
      root: join(stateDir, "mail"),
      spoolDir: join(stateDir, "spool"),
      fsync: "always",
      hub: new LocalChangeHub(),
      clock: systemClock,
      log: createLog("off", () => undefined),
    }).outbox;
  }

  /** Every entry, in order of arrival. @throws {StorageError} */
  async entries(): Promise<DeskEntry[]> {
    const found: DeskEntry[] = [];
    if (!fs.existsSync(join(this.#stateDir, "queue"))) return found;
    const visit = ({ id, note, bytes }: { id: string; note: string; bytes: number }) => {
      const letter = decodeLetter(note);
      if (letter !== undefined) found.push({ id, bytes, letter });
    };
    await this.#outbox.load(visit, { sweep: false });
    return found;
  }

  /** @throws {StorageError | DatabaseError} */
  async change(request: ControlRequest, selection: Selection): Promise<DeskResult> {
    const release = this.#lock();
    if (release === undefined) return await this.#ask(request);
    try {
      const chosen = (await this.entries()).filter((entry) => isSelected(entry, selection));
      for (const { id, letter } of chosen) {
        if (request.do === "remove") this.#outbox.remove(id);
        else await this.#outbox.setNote(id, encodeLetter({ ...letter, nextAttemptMs: 0 }));
      }
      return { by: "command", count: chosen.length };
    } finally {
      release();
    }
  }

  /** @returns undefined when a relay runs on the directory */
  #lock(): (() => void) | undefined {
    try {
      return lockStateDirectory(this.#stateDir);
    } catch (error) {
      if (error instanceof DatabaseError && error.fault === "busy") return undefined;
      throw error;
    }
  }

  async #ask(request: ControlRequest): Promise<DeskResult> {
    // A relay without a way to other servers has no queue to steer.
    if (!fs.existsSync(controlDirectory(this.#stateDir))) return { by: "unanswered" };
    const base = join(controlDirectory(this.#stateDir), crypto.randomUUID());
    fs.writeFileSync(`${base}.new`, JSON.stringify(request), { mode: 0o600 });
    fs.renameSync(`${base}.new`, `${base}.json`);
    for (let waitedMs = 0; waitedMs < ANSWER_TIMEOUT_MS; waitedMs += LOOK_EVERY_MS) {
      await delay(LOOK_EVERY_MS);
      if (!fs.existsSync(`${base}.done`)) continue;
      const answer = controlAnswer.parse(parseJson(fs.readFileSync(`${base}.done`, "utf8")));
      fs.unlinkSync(`${base}.done`);
      return { by: "relay", count: answer.count };
    }
    return { by: "unanswered" };
  }
}

export function isSelected({ id, letter }: { id: string; letter: { domain: Domain } }, selection: Selection) {
  if (selection === "all") return true;
  return "id" in selection ? id === selection.id : letter.domain === selection.domain;
}
