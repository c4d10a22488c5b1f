/**
 * The last entry of a backup: one JSON object a line, in the order of the archive. `{"madmail":1,…}`, then
 * `{"path":…,"size":…,"sha256":…}` for each file, then `{"files":…,"bytes":…}`. Written and compared as a stream.
 */
import * as fs from "node:fs";
import { z } from "zod";

export const MANIFEST = "manifest.jsonl";

export const manifestHead = z.object({
  /** Version of this form. */
  madmail: z.literal(1),
  program: z.string(),
  commit: z.string(),
  createdAtMs: z.number(),
  /** The relay was running: what was under way then may be missing or doubled in the queue. */
  running: z.boolean(),
});
export type ManifestHead = z.output<typeof manifestHead>;

/** Lines of what passes by, kept in a file: an archive may have millions of entries. */
export class ManifestLines {
  readonly path: string;
  readonly #fd: number;
  readonly #pending: string[] = [];
  #pendingChars = 0;
  files = 0;
  bytes = 0;

  constructor(path: string, head: ManifestHead | undefined) {
    this.path = path;
    this.#fd = fs.openSync(path, "wx", 0o600);
    if (head !== undefined) this.#line(head);
  }

  add(path: string, size: number, sha256: string): void {
    this.files++;
    this.bytes += size;
    this.#line({ path, size, sha256 });
  }

  /** Writes the last line and closes. */
  end(): void {
    this.#line({ files: this.files, bytes: this.bytes });
    this.#flush();
    fs.closeSync(this.#fd);
  }

  #line(value: object): void {
    const line = `${JSON.stringify(value)}\n`;
    this.#pending.push(line);
    this.#pendingChars += line.length;
    if (this.#pendingChars > 64 * 1024) this.#flush();
  }

  #flush(): void {
    fs.writeSync(this.#fd, this.#pending.splice(0).join(""));
    this.#pendingChars = 0;
  }
}

/** Lines of a file, one at a time. */
export async function* linesOf(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let partial = "";
  for await (const chunk of fs.createReadStream(path)) {
    const lines = (partial + decoder.decode(chunk as Uint8Array, { stream: true })).split("\n");
    partial = lines.pop() ?? "";
    yield* lines;
  }
  if (partial !== "") yield partial;
}
