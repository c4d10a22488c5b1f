/** NOOP and CHECK: RFC 9051 §6.1.2, RFC 3501 §6.4.1. The news before the tagged response is all they are for. */
import { command, noArguments } from "../command.ts";

export const noop = command({
  name: "NOOP",
  allowed: "any",
  parse: noArguments,
  run: () => "OK Noop completed",
});

export const check = command({
  name: "CHECK",
  allowed: "selected",
  parse: noArguments,
  run: () => "OK Check completed",
});
