/** Asking a web server whether it is there. */
import type { World } from "./world.ts";

/** Whatever it answers counts; its page is not read. */
export const askPage: World["ask"] = async (url, stop) => {
  const response = await fetch(url, { method: "GET", redirect: "manual", signal: stop });
  await response.body?.cancel();
  const dateMs = Date.parse(response.headers.get("date") ?? "");
  return { status: response.status, dateMs: Number.isNaN(dateMs) ? undefined : dateMs };
};
