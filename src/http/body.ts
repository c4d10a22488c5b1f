/** Reading request bodies with a cap that holds before and while they are read. */

/** @returns the bytes, or undefined when there are more than `maxBytes`; nothing beyond them is held */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array | undefined> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  // NaN is not above anything: a nonsensical announcement is measured while reading.
  if (announced > maxBytes) return undefined;
  if (request.body === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = request.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks, bytes);
    bytes += value.length;
    if (bytes > maxBytes) {
      await reader.cancel();
      return undefined;
    }
    chunks.push(value);
  }
}
