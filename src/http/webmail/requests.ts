/** What pages ask, over HTTP and WebSocket alike. */
import { z } from "zod";
import { WebmailError } from "./fault.ts";

const UID_MAX = 0xffff_ffff;
const RECIPIENTS_MAX = 10_000;

const mailboxName = z.string().min(1).max(1000);
const mailbox = mailboxName.default("INBOX");
const uid = z.int().min(1).max(UID_MAX);
const sinceUid = z.int().min(0).max(UID_MAX).default(0);
/** How a message is written in JSON: text is UTF-8, base64 is any bytes. */
const encoding = z.enum(["text", "base64"]).default("text");
/** `\Seen`, or a keyword (RFC 9051 §9 `flag`). */
const flag = z
  .string()
  .regex(
    /^(\\(seen|answered|flagged|deleted|draft)|[A-Za-z0-9$!#&'+,./:;<=>?@^_`|~-]{1,100})$/i,
    "expected a flag such as \\Seen, or a keyword",
  );

export type Encoding = z.output<typeof encoding>;

export const requests = {
  messages: z.object({ mailbox, since_uid: sinceUid }),
  message: z.object({ mailbox, uid, encoding }),
  uid: z.object({ mailbox, uid }),
  flags: z.object({ mailbox, uid, flags: z.array(flag).max(100), op: z.enum(["add", "remove", "set"]) }),
  send: z.object({
    from: z.string().max(1000).optional(),
    to: z.array(z.string().max(1000)).max(RECIPIENTS_MAX).default([]),
    body: z.string(),
    encoding,
  }),
  search: z.object({ mailbox, query: z.string().min(1).max(1000) }),
  name: z.object({ name: mailboxName }),
  rename: z.object({ old_name: mailboxName, new_name: mailboxName }),
  transfer: z.object({ mailbox, uid, dest_mailbox: mailboxName }),
  auth: z.object({
    email: z.string().min(1).max(1000),
    password: z.string().min(1).max(1000),
    mailbox,
    since_uid: sinceUid,
  }),
};

/** @throws {WebmailError} that names the first thing wrong, without its value */
export function understood<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join(".") ?? "";
  throw new WebmailError(400, `invalid request: ${where === "" ? "" : `${where}: `}${issue?.message ?? ""}`);
}

/** A message as a client wrote it. @throws {WebmailError} when it is no base64 */
export function messageBytes(body: string, how: Encoding): Uint8Array {
  if (how === "text") return Buffer.from(body, "utf8");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(body)) throw new WebmailError(400, "invalid request: body: no base64");
  return Buffer.from(body, "base64");
}
