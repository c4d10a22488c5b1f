/**
 * The start/stop contract of everything that lives as long as the process.
 * A constructor does no I/O. `start` resolves once the service works; it rejects with a message for the operator.
 * Stopping twice is harmless; it ends within the deadline that the supervisor gives.
 */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  /** Takes no new work, finishes what is under way, then resolves. */
  stop(): Promise<void>;
}
