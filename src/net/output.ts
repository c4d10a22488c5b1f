/**
 * The one output queue of all protocols. Bun's sockets buffer nothing: a write takes what fits into the kernel
 * and leaves the rest to us.
 * Invariants: bytes leave in order; at most one system call per turn while the peer reads; what is queued never
 * exceeds the cap by more than the write that broke it, because that write drops the peer.
 */

/** A slice below this size is joined with its neighbours; copying a larger one costs more than a system call. */
const JOIN_BELOW_BYTES = 16 * 1024;
/** Most bytes that one joined write carries: four full TLS records. */
const JOIN_MAX_BYTES = 64 * 1024;
/** A queue that was drained keeps its array unless it grew beyond this many slices. */
const KEEP_SLICES = 64;

/** What the queue writes to; a Bun socket is one. */
export interface OutputSink {
  /** @returns bytes taken, 0 when full, -1 when closed */
  write(bytes: Uint8Array): number;
}

/** Whoever owns the queue. Calls come from `flush` or `write`, never from inside the constructor. */
export interface OutputOwner {
  /** The queue became empty after it was not; in a turn of its own, never inside `write`. */
  outputDrained(): void;
  /** Everything written before `end` has left. Exactly once. */
  outputEnded(): void;
  /** More than the cap waits: the peer doesn't read. The queue is empty from now on. */
  outputOverflowed(): void;
}

/** Joins are made here and handed to the kernel at once, so one buffer serves every connection. */
const joined = new Uint8Array(JOIN_MAX_BYTES);

/** Queues that were written to in this turn; one microtask flushes all of them. */
let dirty: OutputQueue[] = [];

export class OutputQueue {
  readonly #owner: OutputOwner;
  readonly #maxBytes: number;
  #sink: OutputSink;
  #slices: Uint8Array[] = [];
  /** Slices before this index have left. */
  #head = 0;
  #bytes = 0;
  #scheduled = false;
  /** The last write did not fit: wait for `drain`. */
  #blocked = false;
  #owesReport = false;
  #state: "open" | "ending" | "closed" = "open";

  /** @param maxBytes cap of what waits, above which the owner is told to drop the peer */
  constructor(sink: OutputSink, owner: OutputOwner, maxBytes: number) {
    this.#sink = sink;
    this.#owner = owner;
    this.#maxBytes = maxBytes;
  }

  /** Bytes that were written and have not left. */
  get queuedBytes(): number {
    return this.#bytes;
  }

  /** Queues `bytes` without a copy; they leave at the end of this turn. Ignored after `end` or `close`. */
  write(bytes: Uint8Array): void {
    if (this.#state !== "open" || bytes.length === 0) return;
    this.#slices.push(bytes);
    this.#bytes += bytes.length;
    this.#owesReport = true;
    if (this.#bytes > this.#maxBytes) this.#tryHard();
    this.#schedule();
  }

  /** Lets what is queued leave, then reports `outputEnded`. */
  end(): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#schedule();
  }

  /** Forgets everything; nothing is reported any more. */
  close(): void {
    this.#state = "closed";
    this.#clear();
  }

  /** Continues on another socket of the same stream (TLS over it). Call it with an empty queue only. */
  switchSink(sink: OutputSink): void {
    this.#sink = sink;
    this.#blocked = false;
  }

  /** Call it when the socket can take more. */
  drain(): void {
    this.#blocked = false;
    this.flush();
    this.#report();
  }

  /** Writes what the kernel takes now. */
  flush(): void {
    while (!this.#blocked && this.#head < this.#slices.length) this.#writeRun();
    if (this.#bytes > 0) return;
    if (this.#slices.length > 0) this.#clear();
    if (this.#state !== "ending") return;
    this.#state = "closed";
    this.#owner.outputEnded();
  }

  #schedule(): void {
    if (this.#scheduled || this.#blocked || this.#state === "closed") return;
    this.#scheduled = true;
    if (dirty.push(this) === 1) queueMicrotask(flushDirty);
  }

  /** Called by the turn's microtask. */
  flushScheduled(): void {
    this.#scheduled = false;
    if (this.#state === "closed") return;
    this.flush();
    this.#report();
  }

  #report(): void {
    if (this.#bytes > 0 || !this.#owesReport || this.#state !== "open") return;
    this.#owesReport = false;
    this.#owner.outputDrained();
  }

  /** The cap is for peers that don't read, not for producers that write much in one turn: try the kernel first. */
  #tryHard(): void {
    this.flush();
    if (this.#bytes <= this.#maxBytes) return;
    this.close();
    this.#owner.outputOverflowed();
  }

  /**
   * Writes one large slice, or a run of small ones. A run that is tried again starts with the same bytes and is
   * never shorter, which TLS needs when a record was cut short.
   */
  #writeRun(): void {
    const first = this.#slices[this.#head];
    if (first === undefined) return;
    let bytes = first;
    if (first.length < JOIN_BELOW_BYTES && this.#head + 1 < this.#slices.length) {
      let filled = 0;
      for (let i = this.#head; i < this.#slices.length; i++) {
        const slice = this.#slices[i];
        if (slice === undefined || slice.length >= JOIN_BELOW_BYTES) break;
        if (filled + slice.length > JOIN_MAX_BYTES) break;
        joined.set(slice, filled);
        filled += slice.length;
      }
      bytes = joined.subarray(0, filled);
    }
    const taken = this.#sink.write(bytes);
    if (taken < bytes.length) this.#blocked = true;
    if (taken > 0) this.#drop(taken);
  }

  #drop(count: number): void {
    this.#bytes -= count;
    let left = count;
    while (left > 0) {
      const slice = this.#slices[this.#head];
      if (slice === undefined) return;
      if (left < slice.length) {
        this.#slices[this.#head] = slice.subarray(left);
        return;
      }
      left -= slice.length;
      this.#slices[this.#head] = NOTHING;
      this.#head++;
    }
  }

  #clear(): void {
    if (this.#slices.length > KEEP_SLICES) this.#slices = [];
    else this.#slices.length = 0;
    this.#head = 0;
    this.#bytes = 0;
  }
}

/** Takes the place of slices that left, so that they can be collected. */
const NOTHING = new Uint8Array(0);

function flushDirty(): void {
  const queues = dirty;
  dirty = [];
  for (const queue of queues) queue.flushScheduled();
}
