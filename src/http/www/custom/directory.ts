/**
 * An operator's own pages (`www_dir`): read at every request, so that an edit shows at once. A file that is not there,
 * or has a mistake in it, gives way to the built-in page; the mistake is told once, with file and line.
 *
 * Invariant: nothing outside the directory is ever read, whatever the path says.
 */
import { type FileHandle, open, readdir, realpath } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { parseTemplate, renderTemplate, type Template, TemplateError, type Variables } from "./template.ts";

const FILE_MAX_BYTES = 16 * 1024 * 1024;
/** A path of a request, without its first slash; names may not begin with a dot. */
const PATH = /^(?:[\p{L}\p{N}_~-][\p{L}\p{N}._~ -]*\/)*[\p{L}\p{N}_~-][\p{L}\p{N}._~ -]*$/u;
const PATH_MAX_CHARS = 500;
/** Mistakes remembered as told. */
const TOLD_MAX = 200;

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".txt": "text/plain; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".avif": "image/avif",
  ".ico": "image/x-icon",
  ".woff": "font/woff",
  ".woff2": "font/woff2",
  ".mp4": "video/mp4",
  ".webmanifest": "application/manifest+json",
  ".xml": "application/xml",
  ".pdf": "application/pdf",
};

export interface CustomFile {
  type: string;
  body: string | Uint8Array<ArrayBuffer>;
}

export interface Finding {
  file: string;
  line: number;
  /** An error keeps the page from being served; a warning does not. */
  level: "error" | "warning";
  what: string;
}

export class CustomDirectory {
  readonly #dir: string;
  readonly #onMistake: (text: string) => void;
  readonly #told = new Set<string>();

  /** @param onMistake hears of each mistake once, until it changes */
  constructor(dir: string, onMistake: (text: string) => void) {
    this.#dir = dir;
    this.#onMistake = onMistake;
  }

  get dir(): string {
    return this.#dir;
  }

  /**
   * The file of a path: `/` is index.html, `/x` is x.html where there is no x.
   * @returns undefined where the built-in page is to be served
   */
  async find(path: string, variables: () => Variables): Promise<CustomFile | undefined> {
    const name = path === "/" ? "index.html" : path.slice(1);
    if (name.length > PATH_MAX_CHARS || !PATH.test(name)) return undefined;
    const file = extname(name) === "" ? `${name}.html` : name;
    const bytes = await this.#read(file);
    if (bytes === undefined) return undefined;
    const type = types[extname(file).toLowerCase()] ?? "application/octet-stream";
    if (extname(file) !== ".html") return { type, body: bytes };
    const values = variables();
    const template = this.#parse(new TextDecoder().decode(bytes), file, new Set(Object.keys(values)));
    return template === undefined ? undefined : { type, body: renderTemplate(template, values) };
  }

  #parse(source: string, file: string, known: ReadonlySet<string>): Template | undefined {
    try {
      return parseTemplate(source, file, known);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      this.#tell(error.message);
      return undefined;
    }
  }

  #tell(mistake: string): void {
    if (this.#told.has(mistake)) return;
    if (this.#told.size >= TOLD_MAX) this.#told.clear();
    this.#told.add(mistake);
    this.#onMistake(`${join(this.#dir, mistake)}; the built-in page is served instead`);
  }

  async #read(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    let handle: FileHandle | undefined;
    try {
      const root = await realpath(this.#dir);
      const path = await realpath(join(root, file));
      // A symbolic link may lead out.
      if (!path.startsWith(root + sep)) return undefined;
      handle = await open(path, "r");
      const stat = await handle.stat();
      if (!stat.isFile()) return undefined;
      if (stat.size > FILE_MAX_BYTES) {
        this.#tell(`${file}:1: larger than 16 MiB`);
        return undefined;
      }
      return Uint8Array.from(await handle.readFile());
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== "ENOENT" && code !== "ENOTDIR")
        this.#tell(`${file}:1: can't be read (${code ?? "fault"})`);
      return undefined;
    } finally {
      await handle?.close();
    }
  }
}

/**
 * Looks through all pages of a directory, for `html-migrate`, `html-serve` and a reload.
 * @throws {Error} when the directory can't be read (as a rejection)
 */
export async function checkDirectory(
  dir: string,
  known: ReadonlySet<string>,
  absent: readonly string[] = [],
): Promise<Finding[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".html"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const findings: Finding[] = [];
  for (const path of files) {
    const file = relative(dir, path);
    const source = await Bun.file(path).text();
    try {
      parseTemplate(source, file, known);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      const what = error.message.slice(`${file}:${error.line}: `.length);
      findings.push({ file, line: error.line, level: "error", what });
    }
    findings.push(...warnings(source, file, absent));
  }
  return findings;
}

function warnings(source: string, file: string, absent: readonly string[]): Finding[] {
  return source.split("\n").flatMap((text, index) => {
    const at = (what: string): Finding => ({ file, line: index + 1, level: "warning", what });
    const found: Finding[] = [];
    const stranger =
      /<(?:script|img|link|iframe|video|audio|source)\b[^>]*(?:src|href)=["'](?:https?:)?\/\/([^"'/]+)/i.exec(
        text,
      );
    if (stranger !== null && !/<link\b[^>]*rel=["'](?:canonical|me|alternate)/i.test(text)) {
      found.push(at(`loads from ${stranger[1]}: browsers are told not to; keep a copy in the directory`));
    }
    for (const name of absent) {
      if (new RegExp(`\\b${name}\\b`).test(text))
        found.push(at(`\`${name}\` is always empty in this program`));
    }
    if (/\bDC_?ACCOUNT\b.*generate|Math\.random\(\)/i.test(text)) {
      found.push(
        at("makes up credentials in the browser, which works only while accounts are made at login"),
      );
    }
    return found;
  });
}
