/** Where certificate authorities look for proofs on port 80 (RFC 8555 §8.3). */
import type { Hono } from "hono";

/** base64url, at least 128 bits (RFC 8555 §8.1). */
const TOKEN = /^[A-Za-z0-9_-]{1,256}$/;

/** @param answer the proof for this `Host` and token, while an order is under way */
export function addAcmeChallenge(
  app: Hono,
  answer: (host: string, token: string) => string | undefined,
): void {
  app.get("/.well-known/acme-challenge/:token", (c) => {
    const token = c.req.param("token");
    const proof = TOKEN.test(token) ? answer(c.req.header("host") ?? "", token) : undefined;
    if (proof === undefined) return c.text("Not found\n", 404);
    return c.body(proof, 200, { "Content-Type": "application/octet-stream", "Cache-Control": "no-store" });
  });
}
