/**
 * Plays conversation files (talk.ts) against a server: a bare engine with fakes around it, or a real socket.
 * Each talk is played whole, byte by byte, and cut in two at each point: what the server says must not depend on
 * how the client's bytes arrive.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CR, LF, toLatin1 } from "../../src/core/bytes.ts";
import { type Directive, matchesPattern, parseTalk, showBytes, type Step, type Talk } from "./talk.ts";

/** A long talk is cut at this many points, evenly spread, and at every point around its CRs and LFs first. */
const CUTS_MAX = 250;

/** One connection to the server under test, already open: a greeting may be in `output`. */
export interface TalkTarget {
  /** `bytes` is borrowed. */
  send(bytes: Uint8Array): void;
  /** All that the server sent since the start. */
  output(): Uint8Array;
  /** Moves the server's clock. */
  advance(ms: number): void;
  /** Does the TLS handshake that the server waits for. @throws {Error} if it waits for none. */
  secure(): void | Promise<void>;
  /** An `@` line in mid-talk. @throws {Error} on an unknown one. */
  event(event: Directive): void | Promise<void>;
  /** True once the server hung up. */
  readonly closed: boolean;
  /** Resolves when all that follows from the input so far has happened, as far as the target can know. */
  settle(): Promise<void>;
  /** For targets that cannot know: waits until output has grown, the server hung up or a deadline passed. */
  awaitOutput?(): Promise<void>;
  /** Ends the connection; harmless when it is over. */
  dispose(): void | Promise<void>;
}

export type OpenTarget = (talk: Talk) => TalkTarget | Promise<TalkTarget>;

/** How the client's bytes are handed over. `cutAt` counts in the whole of what the client says. */
export type Cutting = { cut: "never" } | { cut: "everywhere" } | { cut: "once"; cutAt: number };

/** Registers one test for each `*.talk` file in `folder`. */
export function testTalks(folder: string, open: OpenTarget): void {
  const names = readdirSync(folder).filter((name) => name.endsWith(".talk"));
  if (names.length === 0) throw new Error(`no talks in ${folder}`);
  for (const name of names.sort()) {
    const talk = parseTalk(name, readFileSync(join(folder, name), "utf8"));
    test(`talk ${name}`, () => playEveryWay(talk, open), 60_000);
  }
}

/** Plays the talk in all ways; the server's output must be the same in each. */
export async function playEveryWay(talk: Talk, open: OpenTarget): Promise<void> {
  const whole = await playTalk(talk, await open(talk), { cut: "never" });
  const bytewise = await playTalk(talk, await open(talk), { cut: "everywhere" });
  expect(showBytes(bytewise)).toBe(showBytes(whole));
  for (const cutAt of cutPoints(talk)) {
    const cut = await playTalk(talk, await open(talk), { cut: "once", cutAt });
    if (!Buffer.from(cut).equals(whole)) {
      throw new Error(`${talk.name}: cut at ${cutAt}: ${showBytes(cut)}\nwhole: ${showBytes(whole)}`);
    }
  }
}

/** Plays the talk once. @returns all that the server said. @throws {Error} that names file and line. */
export async function playTalk(talk: Talk, target: TalkTarget, cutting: Cutting): Promise<Uint8Array> {
  const player = new Player(talk, target, cutting);
  try {
    await target.settle();
    for (const step of talk.steps) await player.step(step);
    player.finish();
    return target.output();
  } finally {
    await target.dispose();
  }
}

/** Where to cut: every point of a short talk, else those beside line ends and an even spread of the others. */
function cutPoints(talk: Talk): number[] {
  const said = talk.steps.flatMap((step) => (step.do === "say" ? [...step.bytes] : []));
  const all = [...said.keys()].slice(1);
  if (all.length <= CUTS_MAX) return all;
  const atLineEnds = all.filter((at) => said[at - 1] === CR || said[at] === CR || said[at - 1] === LF);
  return [...new Set([...spread(atLineEnds, CUTS_MAX / 2), ...spread(all, CUTS_MAX / 2)])];
}

function spread(points: readonly number[], count: number): number[] {
  const stride = Math.max(1, Math.ceil(points.length / count));
  return points.filter((_, index) => index % stride === 0);
}

class Player {
  readonly #talk: Talk;
  readonly #target: TalkTarget;
  readonly #cutting: Cutting;
  /** How much of the output the talk has dealt with. */
  #readBytes = 0;
  #saidBytes = 0;

  constructor(talk: Talk, target: TalkTarget, cutting: Cutting) {
    this.#talk = talk;
    this.#target = target;
    this.#cutting = cutting;
  }

  async step(step: Step): Promise<void> {
    switch (step.do) {
      case "say":
        this.#mustBeQuiet(step);
        return this.#say(step.bytes);
      case "expectLine":
        return this.#expectLine(step);
      case "expectLines":
        return this.#expectLines(step);
      case "expectBytes":
        return this.#expectBytes(step);
      case "expectEnd":
        return this.#expectEnd(step);
      case "advance":
        this.#target.advance(step.ms);
        return this.#target.settle();
      case "secure":
        await this.#target.secure();
        return this.#target.settle();
      case "event":
        await this.#target.event(step.event);
        return this.#target.settle();
    }
  }

  /** After the last step nothing may be unread. */
  finish(): void {
    const last = this.#talk.steps.at(-1);
    if (last !== undefined) this.#mustBeQuiet(last);
  }

  async #say(bytes: Uint8Array): Promise<void> {
    for (const piece of this.#cut(bytes)) {
      // A server that has hung up reads nothing more; the talk's E: line tells whether it may.
      if (this.#target.closed) break;
      this.#target.send(piece);
      await this.#target.settle();
    }
    this.#saidBytes += bytes.length;
  }

  #cut(bytes: Uint8Array): Uint8Array[] {
    const cutting = this.#cutting;
    if (cutting.cut === "everywhere") return [...bytes].map((byte) => Uint8Array.of(byte));
    const at = cutting.cut === "once" ? cutting.cutAt - this.#saidBytes : 0;
    if (at <= 0 || at >= bytes.length) return [bytes];
    return [bytes.subarray(0, at), bytes.subarray(at)];
  }

  async #expectLine(step: Step & { do: "expectLine" | "expectLines" }): Promise<void> {
    const line = await this.#peekLine();
    if (line === undefined) throw this.#fault(step, `nothing (wanted: ${step.pattern})`);
    if (!matchesPattern(step.pattern, line)) throw this.#fault(step, `${line} (wanted: ${step.pattern})`);
    this.#readBytes += line.length + 2;
  }

  async #expectLines(step: Step & { do: "expectLine" | "expectLines" }): Promise<void> {
    for (;;) {
      const line = await this.#peekLine();
      if (line === undefined || !matchesPattern(step.pattern, line)) return;
      this.#readBytes += line.length + 2;
    }
  }

  async #expectBytes(step: Step & { do: "expectBytes" }): Promise<void> {
    while (this.#unread().length < step.bytes.length && (await this.#grew()));
    const got = this.#unread().subarray(0, step.bytes.length);
    if (!Buffer.from(got).equals(step.bytes)) {
      throw this.#fault(step, `${showBytes(got)} (wanted: ${showBytes(step.bytes)})`);
    }
    this.#readBytes += got.length;
  }

  async #expectEnd(step: Step & { do: "expectEnd" }): Promise<void> {
    if (step.closed) while (!this.#target.closed && (await this.#grew()));
    this.#mustBeQuiet(step);
    if (this.#target.closed !== step.closed) {
      throw this.#fault(step, step.closed ? "still open" : "the server hung up");
    }
  }

  /** The next whole line without its CRLF; waits for it as long as output grows. */
  async #peekLine(): Promise<string | undefined> {
    for (;;) {
      const unread = Buffer.from(this.#unread());
      const end = unread.indexOf("\r\n");
      if (end >= 0) return toLatin1(unread.subarray(0, end));
      if (!(await this.#grew())) return undefined;
    }
  }

  async #grew(): Promise<boolean> {
    const before = this.#target.output().length;
    const wasClosed = this.#target.closed;
    await (this.#target.awaitOutput?.() ?? this.#target.settle());
    return this.#target.output().length > before || this.#target.closed !== wasClosed;
  }

  #unread(): Uint8Array {
    return this.#target.output().subarray(this.#readBytes);
  }

  #mustBeQuiet(step: Step): void {
    if (this.#unread().length > 0) throw this.#fault(step, `unexpected: ${showBytes(this.#unread())}`);
  }

  #fault(step: Step, got: string): Error {
    return new Error(`${this.#talk.name}:${step.line}: ${JSON.stringify(this.#cutting)}: got ${got}`);
  }
}
