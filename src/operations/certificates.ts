/** The certificate: what it is, how long it lasts, and asking for another. */
import { z } from "zod";
import { TlsMaterialError, TlsMaterialStore, acmeFiles } from "../tls/material.ts";
import { OrderMemory } from "../tls/order-memory.ts";
import { tlsSource } from "../tls/source.ts";
import { type CertificateStatus, certificateStatus } from "../tls/status.ts";
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

export const certificateOperations = {
  "certificates.status": operation({
    summary: "Which certificate is in use, until when, and how the next one comes",
    permission: "read",
    input: z.strictObject({}),
    output: status,
    async run(context) {
      return shown((await context.live?.certificates.status()) ?? (await storedStatus(context)));
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
    output: z.discriminatedUnion("outcome", [
      z.strictObject({ outcome: z.literal("renewed"), certificate }),
      z.strictObject({ outcome: z.literal("rehearsed"), names: z.array(z.string()) }),
      z.strictObject({ outcome: z.literal("notDue"), renewAtMs: timeMs }),
    ]),
    async run({ live }, options) {
      if (live === undefined) {
        throw new OperationError("notRunning", "the relay does not run: authorities look at a running one");
      }
      const result = await live.certificates.renew(options);
      switch (result.do) {
        case "renewed":
          return {
            outcome: "renewed" as const,
            certificate: { ...result.facts, names: [...result.facts.names] },
          };
        case "rehearsed":
          return { outcome: "rehearsed" as const, names: [...result.names] };
        case "notDue":
          return { outcome: "notDue" as const, renewAtMs: result.renewAtMs };
        case "waiting":
          throw new OperationError(
            "refused",
            `not before ${new Date(result.untilMs).toISOString()}, after this failure: ${result.message}; --force asks now`,
          );
        case "failed":
          throw new OperationError("unavailable", `no certificate: ${result.message}`);
        case "notAcme":
          throw new OperationError(
            "refused",
            'certificates do not come from an authority here: set `mode = "acme"` in [tls] of the configuration',
          );
      }
    },
  }),
};

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
