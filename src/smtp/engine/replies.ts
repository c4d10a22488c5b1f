/**
 * Every reply of the SMTP server that is not a matter of policy (core/verdict.ts has those).
 * Codes: RFC 5321 §4.2, RFC 4954 §6, RFC 3207 §4; enhanced codes: RFC 3463, RFC 5248. Nothing the peer said is echoed.
 */
import { type Refusal, refusals } from "../../core/verdict.ts";

// biome-ignore format: a table reads best aligned
export const replies = {
  accepted:           "250 2.0.0 OK",
  senderOk:           "250 2.1.0 OK",
  recipientOk:        "250 2.1.5 OK",
  goAhead:            "354 End with <CR><LF>.<CR><LF>",
  bye:                "221 2.0.0 Bye",
  help:               "214 2.0.0 RFC 5321",
  /** RFC 5321 §3.5.3: says nothing about who has a mailbox here. */
  wontVerify:         "252 2.0.0 Cannot verify, but will take mail and try",
  readyForTls:        "220 2.0.0 Ready to start TLS",
  /** A challenge without text: PLAIN wants its one answer. */
  saslGoOn:           "334 ",
  /** "Username:" and "Password:" in base64: draft-murchison-sasl-login. */
  saslUsername:       "334 VXNlcm5hbWU6",
  saslPassword:       "334 UGFzc3dvcmQ6",
  loginOk:            "235 2.7.0 Authentication successful",

  shuttingDown:       "421 4.3.2 Service shutting down",
  timeout:            "421 4.4.2 Timeout, closing",
  tooManyErrors:      "421 4.7.0 Too many errors, closing",
  tooManyLogins:      "421 4.7.0 Too many failed logins, closing",
  tlsUnavailable:     "454 4.7.0 TLS not available",
  /** Without the word "authentication": clients count that as a wrong password. */
  loginUnavailable:   "454 4.7.0 Login cannot be checked now, try again later",

  lineTooLong:        "500 5.5.2 Line too long",
  unknownCommand:     "500 5.5.1 Command not recognized",
  bareLineEnd:        "500 5.5.2 Bare CR or LF: lines end with CRLF",
  nulByte:            "500 5.5.2 NUL byte",
  saslLineTooLong:    "500 5.5.6 Line too long",
  badArguments:       "501 5.5.4 Syntax error in arguments",
  badSender:          "501 5.1.7 Bad sender address syntax",
  badEncoding:        "501 5.5.2 Not valid base64",
  loginCancelled:     "501 5.7.0 Login cancelled",
  notImplemented:     "502 5.5.1 Command not implemented",
  badSequence:        "503 5.5.1 Bad sequence of commands",
  helloFirst:         "503 5.5.1 Send EHLO first",
  mailFirst:          "503 5.5.1 Send MAIL first",
  recipientFirst:     "503 5.5.1 Send RCPT first",
  alreadySecure:      "503 5.5.1 TLS is already active",
  alreadyLoggedIn:    "503 5.5.1 Already logged in",
  noSuchMechanism:    "504 5.5.4 Mechanism not supported",
  tlsFirst:           "530 5.7.0 Must issue a STARTTLS command first",
  badCredentials:     "535 5.7.8 Authentication credentials invalid",
  senderNeedsUtf8:    "550 5.6.7 Address needs SMTPUTF8",
  recipientNeedsUtf8: "553 5.6.7 Address needs SMTPUTF8",
  noValidRecipients:  "554 5.5.1 No valid recipients",
  bodyBroken:         "554 5.5.2 Bare CR, bare LF or NUL in message",
  wrongProtocol:      "554 5.5.1 This is a mail server",
  unknownParameter:   "555 5.5.4 Parameter not recognized",
} as const;

export type Reply = keyof typeof replies;

/** The reply line, without CRLF, that tells a refusal. */
export function refusalReply(why: Refusal): string {
  const [code, enhanced, , text] = refusals[why];
  return `${code} ${enhanced} ${text}`;
}

/** Joins the lines of one reply as RFC 5321 §4.2.1 wants it. `lines` is not empty. */
export function multiline(code: number, lines: readonly string[]): string {
  const last = lines.length - 1;
  return lines.map((line, index) => `${code}${index === last ? " " : "-"}${line}`).join("\r\n");
}
