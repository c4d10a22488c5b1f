/** JSON from elsewhere. */

/** @returns undefined for what is not JSON; `null` is a value */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
