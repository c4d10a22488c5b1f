/** MTA-STS as text (RFC 8461 §3): the record that says there is a policy, and the policy. Pure. */
import { lowerAscii } from "../core/bytes.ts";

/** RFC 8461 §3.2. */
const MAX_AGE_MAX_S = 31_557_600;
/** Patterns of a policy; more is no honest policy. */
const PATTERNS_MAX = 100;

export interface StsPolicy {
  readonly mode: "enforce" | "testing" | "none";
  /** Host names; `*.` stands for one label. Lower case. */
  readonly mx: readonly string[];
  readonly maxAgeS: number;
}

/** The id of the one STSv1 record among a name's TXT records; undefined without, or with several (§3.1). */
export function readStsId(records: readonly string[]): string | undefined {
  const own = records.filter((record) => /^v=STSv1\s*;/.test(record));
  const [record, ...more] = own;
  if (record === undefined || more.length > 0) return undefined;
  return /;\s*id=([A-Za-z0-9]{1,32})\s*(?:;|$)/.exec(record)?.[1];
}

/** @returns undefined for what is no valid policy */
export function readStsPolicy(text: string): StsPolicy | undefined {
  const fields = text.split(/\r?\n/).flatMap((line) => {
    const match = /^([A-Za-z0-9_.-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    return match === null ? [] : [[match[1] ?? "", match[2] ?? ""] as const];
  });
  const value = (name: string) => fields.find(([key]) => key === name)?.[1];
  const mode = value("mode");
  const maxAge = value("max_age") ?? "";
  const mx = fields.flatMap(([key, pattern]) =>
    key === "mx" ? [lowerAscii(pattern).replace(/\.$/, "")] : [],
  );
  if (value("version") !== "STSv1" || !/^\d{1,10}$/.test(maxAge)) return undefined;
  if (mode !== "enforce" && mode !== "testing" && mode !== "none") return undefined;
  if ((mode !== "none" && mx.length === 0) || mx.length > PATTERNS_MAX) return undefined;
  return { mode, mx, maxAgeS: Math.min(Number(maxAge), MAX_AGE_MAX_S) };
}

/** RFC 8461 §4.1. @param host lower case, no trailing dot */
export function allowsHost(policy: StsPolicy, host: string): boolean {
  return policy.mx.some((pattern) => {
    if (!pattern.startsWith("*.")) return pattern === host;
    const dot = host.indexOf(".");
    return dot > 0 && host.slice(dot + 1) === pattern.slice(2);
  });
}
