/** Which pages of other origins may use an API, and what tells their browsers (Fetch standard, CORS protocol). */

const PREFLIGHT_MAX_AGE_S = 86_400;

/** `none`: not from a page of another origin, as far as the browser says. */
export type CrossOrigin = "none" | "refused" | { origin: string };

/** @param origins those that may; `*` is all. The relay's own pages always may. */
export function crossOrigin(request: Request, origins: readonly string[]): CrossOrigin {
  const origin = request.headers.get("origin");
  if (origin === null) return "none";
  if (URL.canParse(origin) && new URL(origin).host === request.headers.get("host")) return { origin };
  return origins.includes("*") || origins.includes(origin) ? { origin } : "refused";
}

/** Header fields of every answer: the origin is reflected or nothing is allowed. */
export function corsHeaders(
  cross: CrossOrigin,
  allowed: { methods: string; headers: string },
): Record<string, string> {
  if (typeof cross === "string") return { Vary: "Origin" };
  return {
    Vary: "Origin",
    "Access-Control-Allow-Origin": cross.origin,
    "Access-Control-Allow-Methods": allowed.methods,
    "Access-Control-Allow-Headers": allowed.headers,
    "Access-Control-Max-Age": String(PREFLIGHT_MAX_AGE_S),
  };
}

/** The answer to `OPTIONS`. */
export function preflight(cross: CrossOrigin, headers: Record<string, string>): Response {
  return new Response(null, { status: cross === "refused" ? 403 : 204, headers });
}
