/** The DNS records that this relay wants, and what the DNS says of them now. */
import { z } from "zod";
import { operation, OperationError } from "./operation.ts";

export const dnsOperations = {
  "dns.check": operation({
    summary: "The DNS records to publish, and what is wrong with those that are",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({
      /** Nothing that is required is missing, wrong, or unknown. */
      ok: z.boolean(),
      /** Empty on a relay that is only an IP address. */
      records: z.array(
        z.strictObject({
          name: z.string(),
          type: z.string(),
          /** Null where only the operator knows, such as an address of this server. */
          value: z.string().nullable(),
          need: z.enum(["required", "recommended", "optional"]),
          why: z.string(),
          state: z.enum(["ok", "missing", "different", "trouble", "unchecked"]),
          /** What the DNS says, where that is not what is wanted. */
          found: z.array(z.string()),
          /** As a line of a zone file. */
          line: z.string(),
        }),
      ),
    }),
    async run({ live }) {
      if (live === undefined) {
        throw new OperationError("notRunning", "the relay does not run: `madmail dns check` asks without it");
      }
      const { ok, records } = await live.checkDns();
      return {
        ok,
        records: records.map(({ value, found = [], ...record }) => ({
          ...record,
          value: value ?? null,
          found: [...found],
        })),
      };
    },
  }),
};
