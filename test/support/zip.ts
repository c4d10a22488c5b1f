/** A zip archive without compression (APPNOTE.TXT §4.3): enough for the small apps that tests send. */
import { crc32 } from "node:zlib";

const LOCAL_HEADER = 0x04034b50;
const CENTRAL_HEADER = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
/** 1 January 1980, the first day there is. */
const DATE = 0x21;

export function storedZip(files: Readonly<Record<string, string>>): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [path, text] of Object.entries(files)) {
    const name = Buffer.from(path);
    const data = Buffer.from(text);
    const common = fields([
      [2, VERSION],
      [2, 0],
      [2, 0],
      [2, 0],
      [2, DATE],
      [4, crc32(data)],
      [4, data.length],
      [4, data.length],
      [2, name.length],
      [2, 0],
    ]);
    const head = [fields([[4, LOCAL_HEADER]]), common, name, data];
    local.push(...head);
    central.push(
      fields([
        [4, CENTRAL_HEADER],
        [2, VERSION],
      ]),
      common,
      fields([
        [2, 0],
        [2, 0],
        [2, 0],
        [4, 0],
        [4, offset],
      ]),
      name,
    );
    offset += head.reduce((sum, part) => sum + part.length, 0);
  }
  const directory = Buffer.concat(central);
  const count = Object.keys(files).length;
  const end = fields([
    [4, END],
    [2, 0],
    [2, 0],
    [2, count],
    [2, count],
    [4, directory.length],
    [4, offset],
    [2, 0],
  ]);
  return Buffer.concat([...local, directory, end]);
}

/** Numbers of so many bytes each, little-endian. */
function fields(parts: readonly (readonly [bytes: number, value: number])[]): Buffer {
  const out = Buffer.alloc(parts.reduce((sum, [bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [bytes, value] of parts) at = out.writeUIntLE(value, at, bytes);
  return out;
}
