/** `chatmail.ini` of a chatmail/relay, and the `madmail.toml` that says the same. */
import { readFileSync } from "node:fs";
import type { Domain } from "../core/address.ts";
import { type ConfigPlace, type LeftBehind, SourceError } from "./source.ts";
import { TomlText } from "./toml-text.ts";

export interface ChatmailIni {
  path: string;
  values: ReadonlyMap<string, string>;
  registrationClosed: boolean;
}

/** Keys that say how the parts of the other relay find each other, or what has no counterpart on purpose. */
const meaningless =
  /^(mailboxes_dir|filtermail_.*|postfix_.*|turn_socket_path|passdb_.*|acme_email|www_folder|privacy_(postal|pdo|supervisor)|disable_ipv6)$/;

const understood = new Set([
  "mail_domain",
  "max_user_send_per_minute",
  "max_user_send_burst_size",
  "max_mailbox_size",
  "max_message_size",
  "username_min_length",
  "username_max_length",
  "password_min_length",
  "privacy_mail",
  "iroh_relay",
  "imap_compress",
  "tls_external_cert_and_key",
]);

/** @throws {SourceError} */
export function readIni(path: string, registrationClosed: boolean, leftBehind: LeftBehind[]): ChatmailIni {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new SourceError(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    });
  }
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, key, value = ""] = /^\s*([\w-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== "") values.set(key, value);
  }
  for (const key of values.keys()) {
    if (!understood.has(key) && !meaningless.test(key)) {
      leftBehind.push({
        why: "a key of chatmail.ini without a counterpart",
        what: `${key} = ${values.get(key)}`,
      });
    }
  }
  return { path, values, registrationClosed };
}

export function iniToml(
  ini: ChatmailIni,
  domains: readonly Domain[],
  { stateDir, tls }: ConfigPlace,
): string {
  const toml = new TomlText(`Made from ${ini.path} by \`madmail import\`.`);
  const number = (key: string) => {
    const value = ini.values.get(key);
    return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined;
  };
  toml.set("", "state_dir", stateDir);
  toml.set("", "domains", domains);
  toml.set("", "hostname", domains[0]);
  if (tls !== undefined) {
    toml.set("tls", "mode", "file");
    toml.set("tls", "cert", tls.cert);
    toml.set("tls", "key", tls.key);
  }
  if (ini.registrationClosed) toml.set("accounts", "registration", "closed");
  toml.set("accounts", "username_min_length", number("username_min_length"));
  toml.set("accounts", "username_max_length", number("username_max_length"));
  toml.set("accounts", "password_min_length", number("password_min_length"));
  toml.set("accounts", "default_quota", sizeText(ini.values.get("max_mailbox_size")));
  toml.set("limits", "message_size", number("max_message_size"));
  toml.set("limits", "send_per_minute", number("max_user_send_per_minute"));
  toml.set("limits", "send_burst", number("max_user_send_burst_size"));
  const compress = ini.values.get("imap_compress");
  if (compress !== undefined) toml.set("imap", "compress", /^(true|yes|on|1)$/i.test(compress));
  const iroh = ini.values.get("iroh_relay");
  if (iroh !== undefined) toml.set("iroh", "url", iroh.replace(/\/+$/, ""));
  const admin = ini.values.get("privacy_mail");
  if (admin !== undefined) toml.set("metadata", "admin", `mailto:${admin}`);
  return toml.toString();
}

/** `500M`, `2G`, `100MB`, or a number of megabytes. */
function sizeText(value: string | undefined): string | undefined {
  const [, number, unit = "M"] = /^\s*(\d+)\s*([GM])?B?\s*$/i.exec(value ?? "") ?? [];
  return number === undefined ? undefined : `${number}${unit.toUpperCase()}`;
}
