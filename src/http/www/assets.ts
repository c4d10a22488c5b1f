/** Files of the site that the executable carries. */
import { createHash } from "node:crypto";
import faviconText from "../../../web/favicon.svg" with { type: "text" };
import scriptText from "../../../web/site.js" with { type: "text" };

export const favicon: string = faviconText;
export const script: string = scriptText;

/** Changes with the script, so that browsers may keep it for ever. */
export const scriptPath = `/site.${createHash("sha256").update(script).digest("hex").slice(0, 10)}.js`;
