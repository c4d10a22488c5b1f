/** One request to the notification service: the token is the body, and nothing else is told. */

const TIMEOUT_MS = 20_000;

/** `taken`: 2xx. `dead`: 410, the token will never work again. The others are worth another attempt. */
export type PostResult = "taken" | "dead" | "refused" | "unreachable" | "timeout";

/** Never rejects. @param signal gives up early */
export async function postToken(endpoint: string, token: string, signal: AbortSignal): Promise<PostResult> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const response = await fetch(endpoint, {
      method: "POST",
      body: token,
      // The default names the runtime and its version.
      headers: { "User-Agent": "madmail", "Content-Type": "text/plain" },
      // A token goes to nobody but whom the operator named.
      redirect: "manual",
      signal: AbortSignal.any([signal, timeout]),
    });
    await response.body?.cancel();
    if (response.ok) return "taken";
    return response.status === 410 ? "dead" : "refused";
  } catch {
    return timeout.aborted ? "timeout" : "unreachable";
  }
}
