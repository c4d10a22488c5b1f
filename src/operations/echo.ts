/** The echo account: whether it is on, and its invitation. */
import { z } from "zod";
import { readInvitation, OwnKeyError } from "../echo/own-key.ts";
import { echoFacts } from "../echo/service.ts";
import { count } from "./fields.ts";
import { operation, OperationError } from "./operation.ts";

export const echoOperations = {
  "echo.status": operation({
    summary: "The account that answers whoever writes to it, and its invitation",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({
      enabled: z.boolean(),
      running: z.boolean(),
      address: z.string(),
      /** What a phone scans; null before it ran for the first time. */
      link: z.string().nullable(),
      /** Since the start. */
      answered: count,
      ignored: count,
      /** Why it does not run though it should. */
      trouble: z.string(),
    }),
    run({ live, config }) {
      try {
        // Turned off it keeps its invitation, too.
        const stored = echoFacts(config(), readInvitation(config().stateDir));
        const facts = live?.services.echo() ?? stored;
        return { ...facts, link: facts.link ?? stored.link ?? null };
      } catch (error) {
        if (error instanceof OwnKeyError)
          throw new OperationError("refused", error.message, { cause: error });
        throw error;
      }
    },
  }),
};
