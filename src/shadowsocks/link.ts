/** The `ss://` link that a client scans (SIP002). Pure. */
import { fromUtf8 } from "../core/bytes.ts";
import { type MethodName, methods } from "./engine/methods.ts";

export interface LinkParts {
  method: MethodName;
  password: string;
  /** Name or IP address, without brackets. */
  host: string;
  port: number;
  /** What the client calls it. */
  tag: string;
}

/**
 * SIP004: method and password in base64url without padding. SIP022 forbids that: there they are percent-encoded.
 */
export function ssLink({ method, password, host, port, tag }: LinkParts): string {
  const user =
    methods[method].family === "sip022"
      ? `${method}:${encodeURIComponent(password)}`
      : Buffer.from(fromUtf8(`${method}:${password}`)).toString("base64url");
  const bare = host.includes(":") ? `[${host}]` : host;
  return `ss://${user}@${bare}:${port}#${encodeURIComponent(tag)}`;
}
