/** @jsxImportSource preact */
/** A QR code as one SVG path, black on white in any scheme: cameras want it so. */
import { useMemo } from "preact/hooks";
import { encode } from "uqr";

const QUIET_MODULES = 3;

export function Qr({ text, label }: { text: string; label: string }) {
  const { size, path } = useMemo(() => draw(text), [text]);
  return (
    <svg
      class="qr"
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label={label}
      shape-rendering="crispEdges"
    >
      <path d={path} />
    </svg>
  );
}

/** Runs of dark modules in one row become one rectangle. */
function draw(text: string): { size: number; path: string } {
  const { data, size } = encode(text, { border: QUIET_MODULES });
  let path = "";
  data.forEach((row, y) => {
    for (let x = 0; x < row.length; x++) {
      if (row[x] !== true) continue;
      let end = x;
      while (row[end] === true) end++;
      path += `M${x} ${y}h${end - x}v1h${x - end}z`;
      x = end;
    }
  });
  return { size, path };
}
