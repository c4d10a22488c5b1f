/** The certificate: what it is, how long it lasts, and asking for another. */
import { z } from "zod";
import { TlsMaterialError, TlsMaterialStore, acmeFiles } from "../tls/material.ts";
import { OrderMemory } from "../tls/order-memory.ts";
import { tlsSource } from "../tls/source.ts";
import { type CertificateStatus, certificateStatus, type RenewResult } from "../tls/status.ts";
import type { OperationContext } from "./context.ts";
import { count, timeMs } from "./fields.ts";
import { operation, OperationError } from "./operation.ts";

const certificate = z.strictObject({
  names: z.array(z.string()),
  /** SHA-256 of the DER form, lower case hex. */
  fingerprint: z.string(),
  selfSigned: z.boolean(),
  /** Neither self-signed nor from a test directory. */
  trusted: z.boolean(),
  notBeforeMs: timeMs,
  notAfterMs: timeMs,
});

const status = certificate.extend({
  mode: z.enum(["self-signed", "file", "acme"]),
  hoursLeft: z.int(),
  /** Made here, until the authority has given one. */
  interim: z.boolean(),
  orderUnderWay: z.boolean(),
  clockAheadMs: z.int().nullable(),
  acme: z
    .strictObject({
      directory: z.string(),
      challenge: z.enum(["http-01", "dns-01"]),
      renewAtMs: timeMs.nullable(),
      /** No order by itself before; 0 is no pause. */
      notBeforeMs: timeMs,
      failures: count,
      lastSuccessMs: timeMs.nullable(),
      lastFailure: z.strictObject({ atMs: timeMs, why: z.string(), message: z.string() }).nullable(),
      leftOut: z.array(z.string()),
    })
    .nullable(),
});

const outcome = z.discriminatedUnion("outcome", [
  z.strictObject({ outcome: z.literal("renewed"), certificate }),
  z.strictObject({ outcome: z.literal("rehearsed"), names: z.array(z.string()) }),
  z.strictObject({ outcome: z.literal("notDue"), renewAtMs: timeMs }),
]);

export const certificateOperations = {
  "certificates.status": operation({
    summary: "Which certificate is in use, until when, and how the next one comes",
    permission: "read",
    input: z.strictObject({}),
    output: status,
    async run(context) {
      return shown(await certificateOf(context));
    },
  }),

  "certificates.renew": operation({
    summary: "Ask the certificate authority, if it is time or if told to",
    permission: "change",
    sideBySide: true,
    input: z.strictObject({
      /** Also when it is not due, and in the pause after a failure. */
      force: z.boolean().default(false),
      /** With a new key: what has pinned the old one must be told. */
      newKey: z.boolean().default(false),
      /** Only try it, at Let's Encrypt's test directory. */
      staging: z.boolean().default(false),
    }),
    output: outcome,
    async run({ live }, options) {
      if (live === undefined) {
        throw new OperationError("notRunning", "the relay does not run: authorities look at a running one");
      }
      return outcomeOf(await live.certificates.renew(options));
    },
  }),
};

/** @throws {OperationError} when there is no certificate to tell of */
function outcomeOf(result: RenewResult): z.output<typeof outcome> {
  if (result.do === "renewed") {
    return { outcome: "renewed", certificate: { ...result.facts, names: [...result.facts.names] } };
  }
  if (result.do === "rehearsed") return { outcome: "rehearsed", names: [...result.names] };
  if (result.do === "notDue") return { outcome: "notDue", renewAtMs: result.renewAtMs };
  if (result.do === "failed") throw new OperationError("unavailable", `no certificate: ${result.message}`);
  if (result.do === "waiting") {
    const time = new Date(result.untilMs).toISOString();
    const text = `not before ${time}, after this failure: ${result.message}; --force asks now`;
    throw new OperationError("refused", text);
  }
  const text =
    'certificates do not come from an authority here: set `mode = "acme"` in [tls] of the configuration';
  throw new OperationError("refused", text);
}

function shown({ facts, acme, underWay, clockAheadMs, mode, hoursLeft, interim }: CertificateStatus) {
  return {
    ...facts,
    names: [...facts.names],
    mode,
    hoursLeft,
    interim,
    orderUnderWay: underWay,
    clockAheadMs: clockAheadMs === undefined ? null : Math.round(clockAheadMs),
    acme:
      acme === undefined
        ? null
        : {
            ...acme,
            renewAtMs: acme.renewAtMs ?? null,
            lastSuccessMs: acme.lastSuccessMs ?? null,
            lastFailure: acme.lastFailure ?? null,
          },
  };
}

/** The one in use. @throws {OperationError} when there is none (as a rejection) */
export async function certificateOf(context: OperationContext): Promise<CertificateStatus> {
  return (await context.live?.certificates.status()) ?? storedStatus(context);
}

/** Of a stopped relay: what its next start would use. */
async function storedStatus({ config, clock }: OperationContext): Promise<CertificateStatus> {
  const tls = new TlsMaterialStore(tlsSource(config()), clock);
  try {
    await tls.load();
  } catch (error) {
    if (!(error instanceof TlsMaterialError)) throw error;
    throw new OperationError("unavailable", error.message, { cause: error });
  }
  const memory = new OrderMemory(acmeFiles(config().stateDir));
  return certificateStatus({ config: config(), facts: tls.facts(), memory, nowMs: clock.nowMs() });
}
