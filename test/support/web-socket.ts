/** A WebSocket client for tests: messages in order, replies by their id, what closed it. */

const TIMEOUT_MS = 15_000;

/** What the relay says in one frame. */
export interface SocketMessage {
  req_id?: string;
  action: string;
  data: unknown;
}

interface Waiter {
  wants: (message: SocketMessage) => boolean;
  resolve: (message: SocketMessage) => void;
}

export class TestSocket {
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #socket: WebSocket;
  readonly #unread: SocketMessage[] = [];
  #waiters: Waiter[] = [];
  #id = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    const over = Promise.withResolvers<{ code: number; reason: string }>();
    this.closed = over.promise;
    socket.addEventListener("close", ({ code, reason }) => over.resolve({ code, reason }));
    socket.addEventListener("message", ({ data }) => this.#take(JSON.parse(String(data)) as SocketMessage));
  }

  /** @throws {Error} when the relay does not take it */
  static async open(url: string, headers: Record<string, string> = {}): Promise<TestSocket> {
    // Bun's own option for clients that are no page.
    const socket = new WebSocket(url, { headers, tls: { rejectUnauthorized: false } } as never);
    const client = new TestSocket(socket);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("close", ({ code }) => reject(new Error(`no WebSocket: ${code}`)));
      socket.addEventListener("error", () => reject(new Error("no WebSocket")));
    });
    return client;
  }

  /** Whether the relay does not take it. */
  static async isRefused(url: string, headers: Record<string, string> = {}): Promise<boolean> {
    try {
      (await TestSocket.open(url, headers)).close();
      return false;
    } catch {
      return true;
    }
  }

  sendRaw(text: string): void {
    this.#socket.send(text);
  }

  /** Runs a command. @returns `data` of its result @throws {Error} with the relay's text */
  async run(action: string, data?: unknown): Promise<unknown> {
    const answer = await this.#ask(action, data);
    if (answer.action !== "result") throw new Error(String(answer.data));
    return answer.data;
  }

  /** Runs a command that is to fail. @returns the relay's text, or that there was none */
  async failure(action: string, data?: unknown): Promise<string> {
    const answer = await this.#ask(action, data);
    return answer.action === "error" ? String(answer.data) : `${action} went well`;
  }

  /** The first message that fits and was not taken yet. */
  next(wants: (message: SocketMessage) => boolean): Promise<SocketMessage> {
    const at = this.#unread.findIndex(wants);
    const [found] = at < 0 ? [] : this.#unread.splice(at, 1);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not heard: ${String(wants)}`)), TIMEOUT_MS);
      this.#waiters.push({
        wants,
        resolve: (message) => {
          clearTimeout(timer);
          resolve(message);
        },
      });
    });
  }

  /** The next message that is no answer. */
  pushed(): Promise<SocketMessage> {
    return this.next((message) => message.action === "new_message");
  }

  close(): void {
    this.#socket.close();
  }

  #ask(action: string, data: unknown): Promise<SocketMessage> {
    const id = `r${++this.#id}`;
    this.sendRaw(JSON.stringify({ req_id: id, action, data }));
    return this.next((message) => message.req_id === id);
  }

  #take(message: SocketMessage): void {
    const waiter = this.#waiters.find(({ wants }) => wants(message));
    if (waiter === undefined) {
      this.#unread.push(message);
      return;
    }
    this.#waiters = this.#waiters.filter((each) => each !== waiter);
    waiter.resolve(message);
  }
}
