/** What mail asks of the DNS. NXDOMAIN, an empty answer and trouble are three different things here. */

export type DnsTrouble = "timeout" | "serverFailure" | "refused" | "malformed" | "unreachable";

export type DnsResult<T> =
  | { kind: "found"; records: readonly T[] }
  /** The name exists, the record type does not (NODATA, RFC 2308 §2.2). */
  | { kind: "noData" }
  /** The name does not exist (NXDOMAIN). */
  | { kind: "noName" }
  /** Nobody knows now: decisions that hang on it are temporary. */
  | { kind: "trouble"; why: DnsTrouble };

export interface MxRecord {
  preference: number;
  /** Host name, lower case, no trailing dot; "" is the null MX (RFC 7505). */
  exchange: string;
}

export interface Resolver {
  mx(domain: string): Promise<DnsResult<MxRecord>>;
  a(host: string): Promise<DnsResult<string>>;
  aaaa(host: string): Promise<DnsResult<string>>;
  /** Each record's strings joined (RFC 7208 §3.3, RFC 6376 §3.6.2.2). */
  txt(name: string): Promise<DnsResult<string>>;
}
