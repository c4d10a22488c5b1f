/** `madmail certificate …`: the certificate in use, and asking for another. */
import { type CommandDef, defineCommand } from "citty";
import type { InputOf, OutputOf } from "../operations/operations.ts";
import type { Globals } from "./globals.ts";
import { confirmed, operate } from "./operate.ts";
import { report, time } from "./output.ts";

const MINUTE_MS = 60_000;
const SKEW_SHOWN_MS = 10 * MINUTE_MS;

export function certificateCommand(globals: Globals): CommandDef {
  const staging = {
    type: "boolean" as const,
    description: "Only try it, at Let's Encrypt's test directory; nothing is replaced",
  };
  const force = {
    type: "boolean" as const,
    description: "Also when it is not due, and in the pause after a failure",
  };
  return defineCommand({
    meta: { name: "certificate", alias: "autocert", description: "See and renew the certificate" },
    subCommands: {
      status: defineCommand({
        meta: {
          name: "status",
          description: "Which certificate is in use, until when, how the next one comes",
        },
        run: () => status(globals),
      }),
      get: defineCommand({
        meta: { name: "get", description: "Obtain one if it is time; else say when it will be" },
        args: { force, staging },
        run: ({ args }) => renew(globals, "certificate get", args),
      }),
      renew: defineCommand({
        meta: {
          name: "renew",
          description: "The same; the key stays, so that whoever pinned it notices nothing",
        },
        args: { force, staging },
        run: ({ args }) => renew(globals, "certificate renew", args),
      }),
      enable: defineCommand({
        meta: { name: "enable", description: "Let an authority certify this relay from now on (ACME)" },
        args: {
          email: { type: "string", description: "Where the authority writes to before a certificate ends" },
          obtain: { type: "boolean", description: "Obtain one now, and say how it went" },
        },
        run: ({ args }) => enable(globals, args.email, args.obtain === true),
      }),
      disable: defineCommand({
        meta: { name: "disable", description: "Ask no authority any more" },
        run: () => disable(globals),
      }),
      regenerate: defineCommand({
        meta: { name: "regenerate", description: "Obtain one with a new key, now" },
        args: { yes: { type: "boolean", alias: "y", description: "Do not ask" } },
        run: ({ args }) => regenerate(globals, args.yes),
      }),
    },
  });
}

async function status(globals: Globals): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("certificates.status", {}));
  report(globals, "certificate status", statusText(data), data);
}

function statusText(data: OutputOf<"certificates.status">): string {
  const { acme, clockAheadMs } = data;
  const left = data.hoursLeft < 0 ? "expired" : `${Math.floor(data.hoursLeft / 24)} days left`;
  const lines = [
    `names        ${data.names.join(", ")}`,
    `mode         ${data.mode}${data.interim ? " (self-signed until the authority has given one)" : ""}`,
    `valid until  ${time(data.notAfterMs)} (${left})`,
    `SHA-256      ${data.fingerprint}`,
  ];
  if (acme !== null) {
    lines.push(`authority    ${acme.directory}, by ${acme.challenge}`);
    lines.push(`next         ${nextText(data.orderUnderWay, acme)}`);
    if (acme.lastFailure !== null) {
      lines.push(
        `last failure ${time(acme.lastFailure.atMs)}, ${acme.failures} in a row: ${acme.lastFailure.message}`,
      );
    }
    if (acme.leftOut.length > 0) lines.push(`left out     ${acme.leftOut.join(", ")} (could not be proved)`);
  }
  if (clockAheadMs !== null && Math.abs(clockAheadMs) > SKEW_SHOWN_MS) {
    const minutes = Math.round(Math.abs(clockAheadMs) / MINUTE_MS);
    lines.push(`clock        ${minutes} minutes ${clockAheadMs > 0 ? "ahead" : "behind"}: set it right`);
  }
  return lines.join("\n");
}

type AcmeFacts = NonNullable<OutputOf<"certificates.status">["acme"]>;

function nextText(underWay: boolean, { renewAtMs, notBeforeMs }: AcmeFacts): string {
  if (underWay) return "being obtained";
  const dueMs = Math.max(renewAtMs ?? 0, notBeforeMs);
  return dueMs === 0 ? "as soon as the relay runs" : time(dueMs);
}

async function renew(
  globals: Globals,
  command: string,
  { force, staging }: InputOf<"certificates.renew">,
): Promise<void> {
  const data = await operate(globals, (caller) => caller.call("certificates.renew", { force, staging }));
  report(globals, command, outcomeText(data), data);
}

async function enable(globals: Globals, email: string | undefined, obtain: boolean): Promise<void> {
  await operate(globals, async (caller) => {
    if (email !== undefined) await caller.call("settings.set", { name: "acme_email", value: email });
    const { notices } = await caller.call("settings.set", { name: "autocert_enabled", value: true });
    const obtained = obtain ? await caller.call("certificates.renew", { force: true }) : undefined;
    const told = obtained === undefined ? "an authority is asked from now on" : outcomeText(obtained);
    report(globals, "certificate enable", [...notices, told].join("\n"), {
      enabled: true,
      email: email ?? null,
      notices,
      obtained: obtained ?? null,
    });
  });
}

async function disable(globals: Globals): Promise<void> {
  const { notices } = await operate(globals, (caller) =>
    caller.call("settings.set", { name: "autocert_enabled", value: false }),
  );
  const text = [...notices, "no authority is asked any more"].join("\n");
  report(globals, "certificate disable", text, { enabled: false, notices });
}

async function regenerate(globals: Globals, isSure: boolean | undefined): Promise<void> {
  const command = "certificate regenerate";
  const question = "replace the key too, which clients and peers that pinned it will refuse";
  await operate(globals, async (caller) => {
    if (!(await confirmed(globals, command, question, isSure))) return;
    const data = await caller.call("certificates.renew", { force: true, newKey: true });
    report(globals, command, outcomeText(data), data);
  });
}

function outcomeText(data: OutputOf<"certificates.renew">): string {
  if (data.outcome === "notDue") return `not due before ${time(data.renewAtMs)}; --force renews it now`;
  if (data.outcome === "rehearsed") {
    return `it would work: the test directory certified ${data.names.join(", ")}; nothing was replaced`;
  }
  const { names, notAfterMs } = data.certificate;
  return `renewed for ${names.join(", ")}, valid until ${time(notAfterMs)}`;
}
