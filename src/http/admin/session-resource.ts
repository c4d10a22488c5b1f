/** `/admin/session`: a short session instead of the operator's token, so that a browser never has to keep that. */
import { z } from "zod";
import { OperationError } from "../../operations/operation.ts";
import type { AdminResource } from "./resource.ts";

const MINUTES_MAX = 1440;

const openInput = z.strictObject({
  /** From a login link; then no token is needed. */
  code: z.string().optional(),
  read_only: z.boolean().default(false),
  minutes: z.int().min(1).max(MINUTES_MAX).optional(),
});

export const sessionResource: AdminResource = {
  open: true,
  methods: {
    GET: ({ scope }) => (scope === undefined ? { status: 401 } : { status: 200, body: { scope } }),
    POST({ sessions, scope, body }) {
      const { code, read_only: readOnly, minutes } = openInput.parse(body ?? {});
      if (code !== undefined) {
        const opened = sessions.redeem(code);
        return opened === undefined ? { status: 401 } : { status: 201, body: rendered(opened) };
      }
      if (scope === undefined) return { status: 401 };
      if (scope === "read" && !readOnly) {
        throw new OperationError("refused", "a session that may only look can't open one that may do more");
      }
      return { status: 201, body: rendered(sessions.open(readOnly ? "read" : "full", minutes)) };
    },
    DELETE({ sessions, scope, bearer }) {
      if (scope === undefined) return { status: 401 };
      return { status: 200, body: { closed: sessions.close(bearer) } };
    },
  },
};

function rendered({ token, expiresAtSec, scope }: { token: string; expiresAtSec: number; scope: string }) {
  return { token, expires_at: expiresAtSec, scope };
}
