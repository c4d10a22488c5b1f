/**
 * The request that asks for the relay protocol, and its answer. RFC 6455 §4.2 for WebSocket, except that no
 * `Connection` header is asked for: the client that matters sends none.
 */
import { concat, fromLatin1 } from "../../core/bytes.ts";
import type { DialectName } from "./dialect.ts";
import type { RelayCrypto } from "./handshake.ts";

/** RFC 6455 §1.3. */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const RAW_UPGRADE = "iroh derp http";
/** Most wanted first. */
const subprotocols: readonly (readonly [name: string, dialect: DialectName])[] = [
  ["iroh-relay-v2", "v2"],
  ["iroh-relay-v1", "v1"],
];
const SUPPORTED = subprotocols.map(([name]) => name).join(", ");

/** What is needed of a request's head. */
export interface UpgradeRequest {
  readonly method: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

export type Upgrade =
  | { do: "accept"; dialect: DialectName; transport: "raw" | "websocket"; answer: Uint8Array }
  | { do: "refuse"; answer: Uint8Array };

export function readUpgrade(request: UpgradeRequest, crypto: Pick<RelayCrypto, "sha1">): Upgrade {
  const upgrade = fieldOf(request, "upgrade");
  if (request.method !== "GET") return refuse("405 Method Not Allowed", ["Allow: GET"]);
  if (upgrade === RAW_UPGRADE) {
    const answer = response("101 Switching Protocols", [`Connection: upgrade`, `Upgrade: ${RAW_UPGRADE}`]);
    return { do: "accept", dialect: "legacy", transport: "raw", answer };
  }
  // RFC 9110 §15.5.22: say what would do.
  if (upgrade?.toLowerCase() !== "websocket") {
    return refuse("400 Bad Request", [], `Upgrade: websocket or ${RAW_UPGRADE} expected\n`);
  }
  return readWebSocket(request, crypto);
}

function readWebSocket(request: UpgradeRequest, crypto: Pick<RelayCrypto, "sha1">): Upgrade {
  const key = fieldOf(request, "sec-websocket-key") ?? "";
  if (fieldOf(request, "sec-websocket-version") !== "13" || !/^[A-Za-z0-9+/]{22}==$/.test(key)) {
    return refuse("400 Bad Request", ["Sec-WebSocket-Version: 13"]);
  }
  const offered = fieldOf(request, "sec-websocket-protocol");
  const names = offered?.split(",").map((name) => name.trim());
  const chosen = subprotocols.find(([name]) => names?.includes(name) === true);
  if (names !== undefined && chosen === undefined) {
    return refuse("400 Bad Request", [], `Supported subprotocols: ${SUPPORTED}\n`);
  }
  const accept = Buffer.from(crypto.sha1(fromLatin1(key + ACCEPT_SUFFIX))).toString("base64");
  const answer = response("101 Switching Protocols", [
    "Connection: Upgrade",
    "Upgrade: websocket",
    `Sec-WebSocket-Accept: ${accept}`,
    ...(chosen === undefined ? [] : [`Sec-WebSocket-Protocol: ${chosen[0]}`]),
  ]);
  return { do: "accept", dialect: chosen?.[1] ?? "legacy", transport: "websocket", answer };
}

/** All fields of the name, joined as RFC 9110 §5.3 allows. */
function fieldOf(request: UpgradeRequest, name: string): string | undefined {
  const values = request.fields.filter(([known]) => known === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(", ");
}

function refuse(status: string, fields: readonly string[], text = ""): Upgrade {
  return { do: "refuse", answer: lastResponse(status, fields, fromLatin1(text)) };
}

/** An answer after which the connection ends. */
export function lastResponse(status: string, fields: readonly string[], body: Uint8Array): Uint8Array {
  const length = status.startsWith("204") ? [] : [`Content-Length: ${body.length}`];
  return concat([response(status, [...fields, ...length, "Connection: close"]), body]);
}

function response(status: string, fields: readonly string[]): Uint8Array {
  return fromLatin1(`HTTP/1.1 ${status}\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n`);
}
