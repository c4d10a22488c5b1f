/**
 * One peer, as protocol hosts see it: plain, TLS or come through the front door, all alike.
 * Hosts never touch a socket; output is queued here, joined once per turn, and capped.
 */

export interface Peer {
  /** IPv4 or IPv6 text; IPv4-mapped addresses are shown as IPv4. Never logged. */
  readonly address: string;
  readonly port: number;
}

export interface Connection {
  /** Counts up from 1 for the process; what logs name. */
  readonly id: number;
  readonly peer: Peer;
  /** The local port that accepted it. */
  readonly localPort: number;
  /** True inside TLS. */
  readonly secure: boolean;
  /** Bytes that wait for the peer to read. Producers of bulk wait for `drained` above a few hundred kB. */
  readonly queuedBytes: number;
  /** Queues output; bytes are not copied, so leave them alone after. Above the cap the peer is dropped. */
  write(bytes: Uint8Array): void;
  /** Sends `reply` in clear, drops unread plain input and starts the TLS handshake; `secured` follows. */
  startTls(reply: Uint8Array): void;
  /** Stops taking input until `resume`: for a peer whose pipeline is ahead of its answers. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then hangs up. */
  end(): void;
  /** Hangs up now. */
  destroy(): void;
  /** `idle` is called once after this much silence from the peer (±4 s); 0 turns it off. Restarted by input. */
  setIdleTimeoutMs(ms: number): void;
}

/** What a host does with its peer. Calls are synchronous; the host keeps promises inside its own guard. */
export interface ConnectionHandler {
  /** `bytes` is borrowed: copy what must outlive the call. Not called after `closed`. */
  data(bytes: Uint8Array): void;
  /** The output queue became empty after it was not. */
  drained(): void;
  /** TLS is up after `startTls`. (Implicit TLS is up before the handler is made.) */
  secured(): void;
  /** The peer was silent for the set time. */
  idle(): void;
  /**
   * The peer sent all it will (its side is closed) and still reads: answer what is pending, then `end()`.
   * A handler without it is hung up on after what is queued. Waits for `resume` while paused.
   */
  inputEnded?(): void;
  /** The server stops: say goodbye in the protocol's way, then `end()`. */
  shutdown(): void;
  /** Exactly once, whatever ended it. */
  closed(): void;
}

/** Makes the handler of a new connection. May write the greeting at once. */
export type Accept = (connection: Connection) => ConnectionHandler;
