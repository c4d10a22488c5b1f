/** The shape of one command: its name, where it may be said, how its arguments read, what it does. */
import type { Args } from "./args.ts";
import type { Outcome, Session } from "./session.ts";

/** RFC 9051 §3: `authenticated` includes the selected state. */
export type Allowed = "any" | "beforeLogin" | "authenticated" | "selected";
/** What may be told of the mailbox before the tagged response (RFC 9051 §7.5.1). */
export type News = "all" | "noExpunge" | "none";

export interface Command {
  readonly name: string;
  readonly allowed: Allowed;
  readonly news: News;
  /** Reads the arguments and runs. A fault in the arguments is answered BAD, and nothing was done. */
  start(session: Session, args: Args, tag: string): Outcome | Promise<Outcome>;
}

export interface CommandSpec<T> {
  name: string;
  allowed: Allowed;
  /** Default: all. */
  news?: News;
  /** Reads what follows the name, with its leading blank; faults stay in `args`. */
  parse(args: Args): T;
  run(session: Session, wanted: T, tag: string): Outcome | Promise<Outcome>;
}

export function command<T>(spec: CommandSpec<T>): Command {
  return {
    name: spec.name,
    allowed: spec.allowed,
    news: spec.news ?? "all",
    start(session, args, tag) {
      const wanted = spec.parse(args);
      args.end();
      return args.fault === undefined ? spec.run(session, wanted, tag) : `BAD ${spec.name}: ${args.fault}`;
    },
  };
}

/** For commands without arguments. */
export function noArguments(): void {}
