/**
 * What the relay tells systemd: ready, reloading, stopping, alive (sd_notify(3)). Bun has no datagram sockets of the
 * unix kind, so the three system calls are made through the C library. Where there is nobody to tell, nothing happens.
 */
import { dlopen, ptr } from "bun:ffi";
import type { CancelTimer, Clock } from "../core/clock.ts";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
/** struct sockaddr_un of Linux: two bytes of family, 108 of path. */
const ADDRESS_BYTES = 110;
const PATH_OFFSET = 2;

type Send = (state: string) => void;

export class ServiceManager {
  readonly #send: Send | undefined;
  readonly #pingMs: number | undefined;
  readonly #clock: Clock;
  #cancel: CancelTimer | undefined;

  constructor(env: NodeJS.ProcessEnv, clock: Clock) {
    this.#clock = clock;
    const path = env["NOTIFY_SOCKET"];
    this.#send = path === undefined || path === "" ? undefined : sender(path);
    this.#pingMs = watchdogMs(env);
  }

  /** Whether there is one: then output goes to its journal, not to a person. */
  get isThere(): boolean {
    return this.#send !== undefined;
  }

  /** The relay answers; from now on it says in time that it is alive. */
  ready(): void {
    this.#send?.("READY=1");
    if (this.#send !== undefined && this.#pingMs !== undefined && this.#cancel === undefined)
      this.#ping(this.#pingMs);
  }

  /** Followed by `ready`. */
  reloading(): void {
    const sinceBootUs = process.hrtime.bigint() / 1000n;
    this.#send?.(`RELOADING=1\nMONOTONIC_USEC=${sinceBootUs}`);
  }

  stopping(): void {
    this.#cancel?.();
    this.#send?.("STOPPING=1");
  }

  /** From the one thread that does the mail: if that hangs, the ping does too, and systemd starts the relay anew. */
  #ping(everyMs: number): void {
    this.#send?.("WATCHDOG=1");
    this.#cancel = this.#clock.after(everyMs, () => this.#ping(everyMs));
  }
}

/** Twice in the time that systemd allows; undefined where no one waits for it, or it is for another process. */
function watchdogMs(env: NodeJS.ProcessEnv): number | undefined {
  const us = Number(env["WATCHDOG_USEC"]);
  const pid = env["WATCHDOG_PID"];
  if (!Number.isFinite(us) || us <= 0 || (pid !== undefined && Number(pid) !== process.pid)) return undefined;
  return Math.max(1, Math.floor(us / 2000));
}

/** @returns undefined where the C library can't be called; the unit then fails to start with a time-out that says so */
function sender(path: string): Send | undefined {
  if (process.platform !== "linux") return undefined;
  const library = openLibrary();
  if (library === undefined) return undefined;
  const address = addressOf(path);
  return (state) => {
    const fd = library.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
    if (fd < 0) return;
    const bytes = Buffer.from(state);
    library.sendto(fd, ptr(bytes), bytes.length, 0, ptr(address), address.length);
    library.close(fd);
  };
}

function openLibrary() {
  // glibc's name, and musl's.
  for (const name of ["libc.so.6", `libc.musl-${process.arch === "x64" ? "x86_64" : "aarch64"}.so.1`]) {
    try {
      return dlopen(name, {
        socket: { args: ["i32", "i32", "i32"], returns: "i32" },
        sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
        close: { args: ["i32"], returns: "i32" },
      }).symbols;
    } catch {
      // The other one, then.
    }
  }
  return undefined;
}

/** A path, or with `@` a name in the abstract space. */
function addressOf(path: string): Buffer {
  const name = Buffer.from(path);
  const isAbstract = path.startsWith("@");
  const address = Buffer.alloc(ADDRESS_BYTES);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, PATH_OFFSET);
  if (isAbstract) address[PATH_OFFSET] = 0;
  return address.subarray(0, PATH_OFFSET + name.length + (isAbstract ? 0 : 1));
}
