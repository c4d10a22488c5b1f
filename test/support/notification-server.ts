/** A stand-in for the notification service: records what it is told, answers as the test wishes. */
import { readFileSync } from "node:fs";

export interface Notification {
  token: string;
  /** All header names, lower case, with their values. */
  headers: Record<string, string>;
  path: string;
}

export type Answer = number | "never";

export class NotificationServer {
  readonly received: Notification[] = [];
  /** What a token is answered; 200 unless said. */
  answer: (token: string) => Answer = () => 200;
  readonly #server: Bun.Server<undefined>;
  #waiters: (() => void)[] = [];

  /** @param tls PEM files; without them it speaks plain HTTP */
  constructor({ port = 0, tls }: { port?: number; tls?: { cert: string; key: string } } = {}) {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port,
      idleTimeout: 0,
      ...(tls === undefined ? {} : { tls: { cert: readFileSync(tls.cert), key: readFileSync(tls.key) } }),
      fetch: (request) => this.#take(request),
    });
  }

  get port(): number {
    return this.#server.port ?? 0;
  }

  /** Tokens in the order they came. */
  get tokens(): string[] {
    return this.received.map(({ token }) => token);
  }

  /** Waits until `enough` holds; it is asked after each notification. @throws {Error} with what was received */
  async until(enough: (tokens: readonly string[]) => boolean, timeoutMs = 20_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!enough(this.tokens)) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new Error(`${timeoutMs} ms, and only ${JSON.stringify(this.tokens)}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, leftMs);
      this.#waiters.push(resolve);
      await promise;
      clearTimeout(timer);
    }
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  async #take(request: Request): Promise<Response> {
    const token = await request.text();
    const headers = Object.fromEntries(request.headers.entries());
    this.received.push({ token, headers, path: new URL(request.url).pathname });
    for (const wake of this.#waiters.splice(0)) wake();
    const answer = this.answer(token);
    if (answer === "never") await new Promise(() => {});
    return new Response(null, { status: answer === "never" ? 500 : answer });
  }
}
