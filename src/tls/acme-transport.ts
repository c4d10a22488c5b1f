/**
 * How ACME talks HTTP: `fetch` with an authority of its own for test directories, a bound on everything, and no
 * retry. Whoever asks decides when to ask again: a library that waits and repeats by itself would hammer an
 * authority that has just said it is tired of us.
 */
import { z } from "zod";

const TIMEOUT_MS = 30_000;
/** A chain is 6 kB, a directory 1 kB. */
const BODY_MAX_BYTES = 256 * 1024;
const BAD_NONCE = "urn:ietf:params:acme:error:badNonce";

/** RFC 7807, as far as RFC 8555 §6.7 uses it. */
const problemSchema = z.object({
  type: z.string().default("about:blank"),
  detail: z.string().default(""),
});

/** What kept us from a certificate. */
export type AcmeTrouble =
  /** The authority asks us to come later. */
  | "rateLimited"
  /** The authority said no. */
  | "refused"
  /** It did not find the proof that a name is ours. */
  | "challengeFailed"
  /** The proof could not be put where it is looked for. */
  | "proofFailed"
  /** No answer, or none that makes sense. */
  | "unreachable";

export interface AcmeErrorFacts {
  why: AcmeTrouble;
  /** The last part of the problem's URN, such as `rateLimited`. */
  type?: string;
  /** Not to be asked again before, milliseconds from now. */
  retryAfterMs?: number;
  /** The name at fault. */
  name?: string;
}

/** The message is for the operator and says what the authority said. */
export class AcmeError extends Error {
  readonly facts: AcmeErrorFacts;

  constructor(message: string, facts: AcmeErrorFacts, options?: ErrorOptions) {
    super(message, options);
    this.facts = facts;
  }
}

export interface TransportParts {
  /** PEM of the authority that certifies the directory's own host; default: the well-known ones. */
  ca?: string | undefined;
  userAgent: string;
  nowMs: () => number;
  /** Told the authority's time with each answer, and ours. */
  onDate?: (theirsMs: number, oursMs: number) => void;
  /** Ends every request under way. */
  stop: AbortSignal;
}

/** The answer as acme-client reads it. */
export interface TransportResponse {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  /** Parsed where it is JSON, else text. */
  data: unknown;
}

export type Transport = (
  url: string,
  method: string,
  options?: { data?: unknown },
) => Promise<TransportResponse>;

/** @returns a function that throws `AcmeError` for every answer that is a refusal, but a nonce that has grown old */
export function createTransport(parts: TransportParts): Transport {
  return async (url, method, options) => {
    const response = await ask(parts, url, method, options?.data);
    const { status, headers, data } = response;
    const dateMs = Date.parse(headers["date"] ?? "");
    if (Number.isFinite(dateMs)) parts.onDate?.(dateMs, parts.nowMs());
    if (status < 400) return response;
    const problem = problemSchema.safeParse(data).data ?? { type: "about:blank", detail: "" };
    // The protocol's own small change: the library asks again with the nonce that came along (RFC 8555 §6.5).
    if (problem.type === BAD_NONCE) return response;
    throw refusal(status, problem, retryAfter(headers["retry-after"], parts.nowMs()));
  };
}

async function ask(
  { ca, userAgent, stop }: TransportParts,
  url: string,
  method: string,
  data: unknown,
): Promise<TransportResponse> {
  try {
    const response = await fetch(url, {
      method: method.toUpperCase(),
      headers: { "User-Agent": userAgent, "Content-Type": "application/jose+json" },
      signal: AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT_MS)]),
      ...(data === undefined ? {} : { body: JSON.stringify(data) }),
      ...(ca === undefined ? {} : { tls: { ca } }),
    });
    const headers: Record<string, string> = {};
    response.headers.forEach((value, name) => {
      headers[name.toLowerCase()] = value;
    });
    const text = await boundedText(response);
    const isJson = /\bjson\b/.test(headers["content-type"] ?? "");
    return { status: response.status, headers, data: isJson && text !== "" ? JSON.parse(text) : text };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AcmeError(`${new URL(url).host}: ${reason}`, { why: "unreachable" }, { cause: error });
  }
}

/** @throws {Error} when there is more than any answer has */
export async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > BODY_MAX_BYTES) throw new Error("the answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function refusal(
  status: number,
  { type: urn, detail }: z.infer<typeof problemSchema>,
  retryAfterMs: number | undefined,
): AcmeError {
  const type = urn.slice(urn.lastIndexOf(":") + 1);
  const isLimit = status === 429 || type === "rateLimited";
  // 503 with a time is the same request in other words; every other 5xx is an authority that can't at the moment.
  const why = isLimit || (status === 503 && retryAfterMs !== undefined) ? "rateLimited" : undefined;
  return new AcmeError(`${detail === "" ? `HTTP status ${status}` : detail} (${type})`, {
    why: why ?? (status >= 500 ? "unreachable" : "refused"),
    type,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** RFC 9110 §10.2.3: seconds or a date. @returns undefined for neither, and for the past */
export function retryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}
