/** The mark of a clean stop, `1 M<modseq> V<uidvalidity>`, ` unswept` if there was no time to sweep. */
import { readFileSync } from "node:fs";
import type { MaildirContext } from "./context.ts";
import { isMissing } from "./files.ts";
import { replaceFile } from "./marks.ts";

const FILE_NAME = ".madmail-clean";
const FORM = /^1 M(\d{1,16}) V(\d{1,10})( unswept)?\n$/;

export interface CleanMark {
  modseq: number;
  uidValidityFloor: number;
  /** False: files of an earlier unclean stop may still be there. */
  swept: boolean;
}

/**
 * Reads the mark and takes it away: a crash from now on is an unclean stop.
 * @returns undefined when there is none @throws errno errors
 */
export function takeCleanMark(context: Pick<MaildirContext, "files">, root: string): CleanMark | undefined {
  const path = `${root}/${FILE_NAME}`;
  try {
    const match = FORM.exec(readFileSync(path, "latin1"));
    context.files.unlink(path);
    if (match === null) return undefined;
    return { modseq: Number(match[1]), uidValidityFloor: Number(match[2]), swept: match[3] === undefined };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** @throws errno errors */
export async function writeCleanMark(context: MaildirContext, root: string, mark: CleanMark): Promise<void> {
  const text = `1 M${mark.modseq} V${mark.uidValidityFloor}${mark.swept ? "" : " unswept"}\n`;
  await replaceFile(context, root, FILE_NAME, text);
}
