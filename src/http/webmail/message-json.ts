/** A message as JSON: its summary, and the whole of it as text or base64. Streamed where it need not be whole. */
import { BODY_SLICE_MAX_BYTES } from "../../core/limits.ts";
import { slicesOf, type OpenMessage } from "./mail-actions.ts";
import { WebmailError } from "./fault.ts";
import type { Encoding } from "./requests.ts";
import type { Summary } from "./summary.ts";

/** base64 of a slice that is no multiple of three ends in padding. */
const SLICE_BYTES = BODY_SLICE_MAX_BYTES - (BODY_SLICE_MAX_BYTES % 3);

export type Detail = Summary & { encoding?: "base64"; body: string };

/** A streamed answer: no more than a slice is in memory. */
export function messageJson(message: OpenMessage, encoding: Encoding): Response {
  const pieces = jsonPieces(message, encoding);
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done === true) controller.close();
      else controller.enqueue(Buffer.from(value));
    },
    async cancel() {
      await pieces.return();
    },
  });
  return new Response(stream, { headers: { "Content-Type": "application/json;charset=utf-8" } });
}

/** The whole at once. @throws {WebmailError} when the message has more than `maxBytes` */
export async function messageDetail(
  { summary, body }: OpenMessage,
  encoding: Encoding,
  maxBytes: number,
): Promise<Detail> {
  if (body.size > maxBytes) {
    await body.close();
    throw new WebmailError(413, "the message is too big for a WebSocket: GET it");
  }
  const pieces: string[] = [];
  for await (const text of texts(body, encoding)) pieces.push(text);
  return { ...summary, ...encodingMark(encoding), body: pieces.join("") };
}

async function* jsonPieces({ summary, body }: OpenMessage, encoding: Encoding): AsyncGenerator<string, void> {
  // Read first: at the end of this generator the body is closed, whoever ends it.
  const content = texts(body, encoding);
  try {
    yield `${JSON.stringify({ ...summary, ...encodingMark(encoding) }).slice(0, -1)},"body":"`;
    for await (const text of content) yield JSON.stringify(text).slice(1, -1);
    yield '"}';
  } finally {
    await content.return();
    await body.close();
  }
}

/** Of text: what is no UTF-8 becomes U+FFFD. */
async function* texts(body: OpenMessage["body"], encoding: Encoding): AsyncGenerator<string, void> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for await (const slice of slicesOf(body, SLICE_BYTES)) {
    yield encoding === "base64"
      ? Buffer.from(slice.buffer, slice.byteOffset, slice.length).toString("base64")
      : decoder.decode(slice, { stream: true });
  }
  yield decoder.decode();
}

function encodingMark(encoding: Encoding): { encoding?: "base64" } {
  return encoding === "base64" ? { encoding } : {};
}
