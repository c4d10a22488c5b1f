/** Packets that wait for a client that reads slower than others write to it; bounded in number and bytes. */
import { QUEUE_MAX_BYTES, QUEUE_MAX_PACKETS } from "./limits.ts";

export class PacketQueue {
  #packets: Uint8Array[] = [];
  /** Packets before this index have left. */
  #head = 0;
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#head === this.#packets.length;
  }

  /** @returns false when it is full; the packet is then dropped */
  push(packet: Uint8Array): boolean {
    const count = this.#packets.length - this.#head;
    if (count >= QUEUE_MAX_PACKETS || this.#bytes + packet.length > QUEUE_MAX_BYTES) return false;
    if (this.#head >= QUEUE_MAX_PACKETS) {
      this.#packets = this.#packets.slice(this.#head);
      this.#head = 0;
    }
    this.#packets.push(packet);
    this.#bytes += packet.length;
    return true;
  }

  shift(): Uint8Array | undefined {
    const packet = this.#packets[this.#head];
    if (packet === undefined) return undefined;
    this.#packets[this.#head] = NOTHING;
    this.#head++;
    this.#bytes -= packet.length;
    if (this.isEmpty) this.clear();
    return packet;
  }

  clear(): void {
    this.#packets = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}

/** Takes the place of packets that left, so that they can be collected. */
const NOTHING = new Uint8Array(0);
