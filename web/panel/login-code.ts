/** What opens the panel, in the forms that it is handed on: a link, what `madmail admin-token --qr` shows, the token. */

export type Credential = { code: string } | { token: string };

interface Detector {
  detect(source: ImageBitmapSource): Promise<{ rawValue: string }[]>;
}
declare global {
  interface Window {
    /** Not in every browser; then codes are read by the camera's own program. */
    BarcodeDetector?: new (options: {
      formats: string[];
    }) => Detector;
  }
}

/** @returns undefined for what opens nothing */
export function credentialOf(text: string): Credential | undefined {
  const given = text.trim();
  const code = /#code=([\w-]{20,})$/.exec(given)?.[1];
  if (code !== undefined) return { code };
  const packed = given.slice(given.lastIndexOf("#") + 1);
  const token = tokenIn(packed) ?? tokenIn(decoded(packed));
  if (token !== undefined) return { token };
  return /^[\w-]{20,200}$/.test(given) ? { token: given } : undefined;
}

/** The code in a picture. @returns undefined where there is none, or no way to read it */
export async function readCode(picture: Blob): Promise<string | undefined> {
  if (window.BarcodeDetector === undefined) return undefined;
  const detector = new window.BarcodeDetector({ formats: ["qr_code"] });
  const bitmap = await createImageBitmap(picture).catch(() => undefined);
  if (bitmap === undefined) return undefined;
  const found = await detector.detect(bitmap).catch(() => []);
  return found[0]?.rawValue;
}

function tokenIn(text: string): string | undefined {
  try {
    const { t, token } = JSON.parse(text) as { t?: unknown; token?: unknown };
    return [t, token].find((each): each is string => typeof each === "string");
  } catch {
    return undefined;
  }
}

function decoded(text: string): string {
  try {
    return atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return "";
  }
}
