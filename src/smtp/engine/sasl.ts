/** The two login mechanisms: PLAIN (RFC 4616) and LOGIN, as exchanges inside AUTH (RFC 4954 §4). */
import { toUtf8 } from "../../core/bytes.ts";
import type { Reply } from "./replies.ts";

/** What came so far: LOGIN asks twice. */
export type SaslExchange = { mechanism: "PLAIN" } | { mechanism: "LOGIN"; username: string | undefined };

export type SaslStep =
  | { do: "challenge"; reply: Reply; exchange: SaslExchange }
  | { do: "login"; username: string; password: string }
  | { do: "fail"; reply: Reply };

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Begins the exchange of `AUTH mechanism [initial]`. `initial` is base64, or `=` for an empty response. */
export function beginSasl(mechanism: string, initial: string | undefined): SaslStep {
  const exchange: SaslExchange | undefined =
    mechanism === "PLAIN"
      ? { mechanism: "PLAIN" }
      : mechanism === "LOGIN"
        ? { mechanism: "LOGIN", username: undefined }
        : undefined;
  if (exchange === undefined) return { do: "fail", reply: "noSuchMechanism" };
  if (initial !== undefined) return continueSasl(exchange, initial === "=" ? "" : initial);
  return { do: "challenge", reply: mechanism === "PLAIN" ? "saslGoOn" : "saslUsername", exchange };
}

/** Takes the client's answer to a challenge, as it stood on the line. */
export function continueSasl(exchange: SaslExchange, answer: string): SaslStep {
  if (answer === "*") return { do: "fail", reply: "loginCancelled" };
  if (!BASE64.test(answer)) return { do: "fail", reply: "badEncoding" };
  const text = toUtf8(Buffer.from(answer, "base64"));
  if (exchange.mechanism === "PLAIN") return readPlain(text);
  if (exchange.username === undefined) {
    return { do: "challenge", reply: "saslPassword", exchange: { mechanism: "LOGIN", username: text } };
  }
  return { do: "login", username: exchange.username, password: text };
}

/** `authzid NUL authcid NUL passwd`. Acting for another identity is not offered. */
function readPlain(text: string): SaslStep {
  const [authzid, username, password, ...more] = text.split("\u0000");
  if (authzid === undefined || username === undefined || password === undefined || more.length > 0) {
    return { do: "fail", reply: "badArguments" };
  }
  if (authzid !== "" && authzid !== username) return { do: "fail", reply: "badCredentials" };
  return { do: "login", username, password };
}
