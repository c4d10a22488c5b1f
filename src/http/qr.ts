/** QR codes as SVG: one path of runs, a quarter of the size of one square per module. */
import { encode } from "uqr";

/** ISO/IEC 18004 asks for 4 modules of quiet zone; 2 are in the picture, the page's padding gives the rest. */
const QUIET_MODULES = 2;

/** @param label what the picture is, for those who can't see it. @throws when the text is beyond a QR code's room */
export function qrSvg(text: string, label: string): string {
  const { data, size } = encode(text, { ecc: "M", border: QUIET_MODULES });
  let path = "";
  for (const [y, row] of data.entries()) {
    let x = 0;
    while (x < size) {
      const start = x;
      while (row[x] === true) x++;
      if (x > start) path += `M${start} ${y}h${x - start}v1h-${x - start}z`;
      else x++;
    }
  }
  return (
    `<svg class="code" role="img" aria-label="${escapeAttribute(label)}" xmlns="http://www.w3.org/2000/svg" ` +
    `viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h${size}v${size}H0z"/>` +
    `<path fill="#000" d="${path}"/></svg>`
  );
}

function escapeAttribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
