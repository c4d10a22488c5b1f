/** The link that a phone scans to have the echo as a verified contact. */
import type { Invitation } from "./own-key.ts";

/** As Delta Chat writes them: `#FINGERPRINT&i=…&s=…&a=…&n=…`; without `v=3`, so that older clients can use it, too. */
export function invitationLink({ fingerprint, invitation, auth, address }: Invitation, name: string): string {
  const fields = [
    ["i", invitation],
    ["s", auth],
    ["a", address],
    ["n", name],
  ] as const;
  const query = fields.map(([key, value]) => `&${key}=${encodeURIComponent(value).replaceAll("%20", "+")}`);
  return `https://i.delta.chat/#${fingerprint}${query.join("")}`;
}
