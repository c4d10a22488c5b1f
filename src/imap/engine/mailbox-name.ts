/**
 * Mailbox names: UTF-8 inside, modified UTF-7 on the wire (RFC 3501 §5.1.3), UTF-8 on the wire too once the client
 * enabled UTF8=ACCEPT (RFC 6855 §3). INBOX has no case (RFC 9051 §5.1).
 */
import { fromLatin1 } from "../../core/bytes.ts";
import { MAILBOX_NAME_MAX_BYTES } from "./limits.ts";
import { isAscii, utf8Bytes, utf8Text } from "./text.ts";

export const SEPARATOR = "/";

/** From the wire. @returns undefined when it is no name: bad UTF-7, control characters, empty levels, too long */
export function decodeMailboxName(wire: string): string | undefined {
  const name = isAscii(wire) ? decodeUtf7(wire) : utf8Text(wire);
  if (name === undefined || name === "" || name.length > MAILBOX_NAME_MAX_BYTES) return undefined;
  if (/[\u0000-\u001f\u007f-\u009f\ufffd\u2028\u2029]/.test(name)) return undefined;
  const [first = "", ...rest] = name.split(SEPARATOR);
  if (rest.some((level) => level === "") || first === "") return undefined;
  return first.toUpperCase() === "INBOX" ? ["INBOX", ...rest].join(SEPARATOR) : name;
}

/** To the wire, as a byte string without quotes. */
export function encodeMailboxName(name: string, utf8: boolean): string {
  return utf8 ? utf8Bytes(name) : encodeUtf7(name);
}

/** Modified UTF-7 to text. @returns undefined when malformed */
export function decodeUtf7(wire: string): string | undefined {
  if (!wire.includes("&")) return wire;
  let malformed = false;
  const text = wire.replace(/&([^-]*)(-?)/g, (_, coded: string, end: string) => {
    if (end === "" || !/^[A-Za-z0-9+,]*$/.test(coded)) malformed = true;
    if (coded === "") return "&";
    const bytes = Buffer.from(coded.replaceAll(",", "/"), "base64");
    if (bytes.length % 2 !== 0 || bytes.length === 0) malformed = true;
    let run = "";
    for (let i = 0; i + 1 < bytes.length; i += 2) run += String.fromCharCode(bytes.readUInt16BE(i));
    return run;
  });
  return malformed || !text.isWellFormed() ? undefined : text;
}

/** Text to modified UTF-7. */
export function encodeUtf7(text: string): string {
  return text.replace(/&|[^\u0020-\u007e]+/g, (run) => {
    if (run === "&") return "&-";
    const units = fromLatin1(utf16be(run));
    return `&${Buffer.from(units).toString("base64").replace(/=+$/, "").replaceAll("/", ",")}-`;
  });
}

function utf16be(text: string): string {
  let bytes = "";
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    bytes += String.fromCharCode(unit >> 8, unit & 255);
  }
  return bytes;
}
