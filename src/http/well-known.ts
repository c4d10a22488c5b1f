/**
 * What other servers and people who found a weakness fetch: the MTA-STS policy (RFC 8461 §3.2), security.txt (RFC 9116)
 * and, for peers without DNS, our DKIM key records.
 */
import type { Context, Hono } from "hono";

/** As chatmail relays announce it: four weeks. */
const STS_MAX_AGE_S = 2_419_200;
const KEY_MAX_AGE_S = 86_400;
/** RFC 9116 §2.5.5 wants less than a year; what is fetched stays right for a while. */
const SECURITY_TXT_VALID_MS = 180 * 86_400_000;
const DAY_MS = 86_400_000;
const SELECTOR = /^[A-Za-z0-9._-]{1,64}$/;

/** What may be fetched; asked at each request. */
export interface WellKnown {
  /** Host that mail goes to; undefined while the certificate is not publicly trusted, or there is no host name. */
  stsHost(): string | undefined;
  /** TXT record of a DKIM key. */
  domainKey(selector: string): string | undefined;
  /** How to report a weakness: a mailto: or https: link. */
  securityContact?(): string | undefined;
  nowMs(): number;
}

export function addWellKnown(app: Hono, parts: WellKnown): void {
  app.get("/.well-known/mta-sts.txt", (c) => {
    const host = parts.stsHost();
    if (host === undefined) return c.notFound();
    return plain(c, stsPolicy(host), STS_MAX_AGE_S / 28);
  });
  app.get("/.well-known/security.txt", (c) => {
    const contact = parts.securityContact?.();
    if (contact === undefined) return c.notFound();
    // To the day, so that it says the same all day long.
    const expires = new Date(Math.floor((parts.nowMs() + SECURITY_TXT_VALID_MS) / DAY_MS) * DAY_MS);
    const lines = [
      `Contact: ${contact}`,
      `Expires: ${expires.toISOString()}`,
      "Preferred-Languages: en, fa, ru, es",
    ];
    return plain(c, `${lines.join("\n")}\n`, KEY_MAX_AGE_S);
  });
  app.get("/.well-known/_domainkey/:selector", (c) => {
    const selector = c.req.param("selector");
    if (!SELECTOR.test(selector)) return c.text("Invalid selector\n", 400);
    const record = parts.domainKey(selector.toLowerCase());
    return record === undefined ? c.notFound() : plain(c, `${record}\n`, KEY_MAX_AGE_S);
  });
  app.get("/.well-known/_domainkey/", (c) => c.text("Invalid selector\n", 400));
}

/** The policy file; its lines end with CRLF. */
export function stsPolicy(host: string): string {
  return ["version: STSv1", "mode: enforce", `mx: ${host}`, `max_age: ${STS_MAX_AGE_S}`, ""].join("\r\n");
}

function plain(c: Context, text: string, maxAgeS: number): Response {
  return c.body(text, 200, {
    "Content-Type": "text/plain; charset=utf-8",
    "Cache-Control": `public, max-age=${maxAgeS}`,
  });
}
