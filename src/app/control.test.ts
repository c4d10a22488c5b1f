/** Commands reach operations through the socket as they do in one process: results, faults, progress, a relay that goes. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Event, Log } from "../log/events.ts";
import { OperationError, type Progress } from "../operations/operation.ts";
import type { Operations } from "../operations/operations.ts";
import { ControlServer, controlCaller, controlSocketPath } from "./control.ts";

let directory: string;
let events: Event[];
const log: Log = { emit: (event) => void events.push(event), counts: () => new Map() };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "madmail-control-"));
  events = [];
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

type CallUnknown = Operations["callUnknown"];

async function serving(
  callUnknown: CallUnknown,
  use: (server: ControlServer) => Promise<void>,
): Promise<void> {
  const server = new ControlServer(directory, { callUnknown } as Operations, log);
  server.start();
  try {
    await use(server);
  } finally {
    await server.stop();
  }
}

test("a call brings name and input there, and the result back", async () => {
  const calls: unknown[] = [];
  const operations: CallUnknown = (...args) => {
    calls.push(args.slice(0, 3));
    return Promise.resolve({ notices: ["one"] });
  };
  await serving(operations, async () => {
    expect(await controlCaller(directory).call("relay.reload", {})).toEqual({ notices: ["one"] });
  });
  expect(calls).toEqual([["relay.reload", {}, { face: "cli", scope: "full" }]]);
});

test("progress is told while the work goes on, in order", async () => {
  const operations: CallUnknown = async (_name, _input, _face, options) => {
    for (let done = 1; done <= 3; done++) {
      options?.onProgress?.({ done, total: 3, what: "messages" });
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { count: 3 };
  };
  const told: Progress[] = [];
  await serving(operations, async () => {
    const result = await controlCaller(directory).call(
      "queue.retry",
      { what: "all" },
      { onProgress: (progress) => void told.push(progress) },
    );
    expect(result).toEqual({ count: 3 });
  });
  expect(told.map(({ done }) => done)).toEqual([1, 2, 3]);
});

test("a fault arrives as the fault that it is", async () => {
  const operations: CallUnknown = () => Promise.reject(new OperationError("notFound", "no such thing"));
  await serving(operations, async () => {
    const fault = await controlCaller(directory)
      .call("queue.show", { id: "x" })
      .catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(OperationError);
    expect(fault).toMatchObject({ fault: "notFound", message: "no such thing" });
  });
});

test("a relay that stops in the middle is told from one that answers", async () => {
  const begun = Promise.withResolvers<void>();
  const operations: CallUnknown = () => {
    begun.resolve();
    return new Promise(() => undefined);
  };
  await serving(operations, async (server) => {
    const call = controlCaller(directory)
      .call("relay.reload", {})
      .catch((error: unknown) => error);
    await begun.promise;
    await server.stop();
    expect(await call).toMatchObject({ fault: "unavailable" });
  });
});

test("without a socket the command says so", async () => {
  const fault = await controlCaller(directory)
    .call("relay.reload", {})
    .catch((error: unknown) => error);
  expect(fault).toMatchObject({ fault: "unavailable" });
});

test("the socket is for the relay's user alone, and what a crash left is replaced", async () => {
  writeFileSync(controlSocketPath(directory), "left over");
  await serving(
    () => Promise.resolve({}),
    () => {
      expect(statSync(controlSocketPath(directory)).mode & 0o777).toBe(0o600);
      return Promise.resolve();
    },
  );
});

test("a state directory whose path is too long for a socket is told", () => {
  const server = new ControlServer(`/${"x".repeat(120)}`, {} as Operations, log);
  server.start();
  expect(events).toMatchObject([{ kind: "notice" }]);
});

test("nothing but calls is answered", async () => {
  await serving(
    () => Promise.resolve({}),
    async () => {
      for (const path of ["/", "/call/", "/call/a/b"]) {
        const answer = await fetch(`http://relay${path}`, {
          method: "POST",
          unix: controlSocketPath(directory),
        });
        expect(answer.status).toBe(404);
      }
    },
  );
});
