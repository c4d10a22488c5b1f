/** Builds the admin panel to dist/panel: scripts and styles with their hash in the name, and a list of them. */
import { rmSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { gzipSync } from "node:zlib";

const root = join(import.meta.dir, "..");
const defaultOutdir = join(root, "dist", "panel");
const GZIP_LEVEL = 9;

/** Bytes of all scripts, gzipped, and of those that every page needs. */
interface PanelSize {
  gzipBytes: number;
  entryGzipBytes: number;
}

/** @throws {AggregateError} when it does not build (as a rejection) */
export async function buildPanel(outdir = defaultOutdir): Promise<PanelSize> {
  rmSync(outdir, { recursive: true, force: true });
  const built = await Bun.build({
    entrypoints: [join(root, "web", "panel", "main.tsx")],
    target: "browser",
    splitting: true,
    minify: true,
    naming: "[name]-[hash].[ext]",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const files: Record<string, { bytes: number; gzipBytes: number }> = {};
  const entry: { script?: string; style?: string } = {};
  for (const output of built.outputs) {
    const name = basename(output.path);
    const content = new Uint8Array(await output.arrayBuffer());
    const zipped = gzipSync(content, { level: GZIP_LEVEL });
    await Bun.write(join(outdir, `${name}.gz`), zipped);
    files[name] = { bytes: content.length, gzipBytes: zipped.length };
    if (output.kind === "entry-point" && extname(name) === ".js") entry.script = name;
    if (extname(name) === ".css") entry.style = name;
  }
  await Bun.write(join(outdir, "manifest.json"), JSON.stringify({ entry, files }));
  const scripts = Object.entries(files).filter(([name]) => name.endsWith(".js"));
  const gzipBytes = scripts.reduce((sum, [, file]) => sum + file.gzipBytes, 0);
  return { gzipBytes, entryGzipBytes: files[entry.script ?? ""]?.gzipBytes ?? 0 };
}

if (import.meta.main) {
  const { gzipBytes, entryGzipBytes } = await buildPanel();
  console.log(`panel: ${gzipBytes} bytes of scripts gzipped, the first of them ${entryGzipBytes}`);
}
