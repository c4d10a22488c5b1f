/** Who sets and removes TXT records for dns-01, and how they are asked over HTTP. */
import { boundedText } from "./acme-transport.ts";

const TIMEOUT_MS = 30_000;

export interface DnsProvider {
  /** Adds a TXT record and leaves others of that name alone. @throws {Error} with a message for the operator */
  present(name: string, value: string, stop: AbortSignal): Promise<void>;
  /** Removes that one. @throws {Error} */
  remove(name: string, value: string): Promise<void>;
}

export interface ProviderAnswer {
  status: number;
  text: string;
}

/** One request, with bounds. @throws {Error} when there is no answer; the message names the host */
export async function askProvider(
  url: URL,
  request: { method: string; headers: Record<string, string>; body?: string },
): Promise<ProviderAnswer> {
  const { method, headers, body } = request;
  try {
    const response = await fetch(url, {
      method,
      headers,
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined ? {} : { body }),
    });
    return { status: response.status, text: await boundedText(response) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${url.host}: ${reason}`, { cause: error });
  }
}

/** The name itself, then without its first labels one by one, down to two: where its zone may begin. */
export function zoneCandidates(name: string): string[] {
  const labels = name.split(".");
  return labels.slice(0, -1).map((_, skipped) => labels.slice(skipped).join("."));
}
