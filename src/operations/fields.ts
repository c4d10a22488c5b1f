/** Fields that many operations share, and how they name what they refuse. */
import { z } from "zod";
import { loginAddress } from "../auth/names.ts";
import { type Address, parseAddress, parseDomain } from "../core/address.ts";
import type { OperationContext } from "./context.ts";
import { OperationError } from "./operation.ts";

/** Milliseconds since 1970. */
export const timeMs = z.int();
/** Seconds since 1970, as the database has them. */
export const timeSec = z.int().nonnegative();
export const count = z.int().nonnegative();
export const bytes = z.int().nonnegative();

/** A mail domain or address literal; normalised. */
export const domain = z.string().transform((text, issue) => {
  const parsed = parseDomain(text);
  if (parsed === undefined) {
    issue.addIssue({ code: "custom", message: `expected a domain or an IP address, found ${text}` });
    return z.NEVER;
  }
  return parsed;
});

/** What an operator types for an account: a whole address, or the part before the @ in the first domain. */
export const userName = z.string().trim().min(1).max(320);

/** @throws {OperationError} when it can't be an address */
export function userAddress(context: OperationContext, name: string): Address {
  const whole = name.includes("@") ? name : `${name}@${context.config().domains[0]}`;
  const address = parseAddress(whole);
  if (address === undefined) {
    throw new OperationError(
      "invalid",
      `${name}: expected an address such as name@${context.config().domains[0]}`,
    );
  }
  return address;
}

/** An address of this relay, whether there is such an account or not. @throws {OperationError} when it is none */
export function localAddress(context: OperationContext, name: string): Address {
  const address = userAddress(context, name);
  const { domains } = context.config();
  if (loginAddress(address, domains) === undefined) {
    throw new OperationError("invalid", `${address}: expected an address at ${domains.join(" or ")}`);
  }
  return address;
}

/** @throws {OperationError} when there is no such account */
export function existingUser(context: OperationContext, name: string): Address {
  const address = userAddress(context, name);
  if (!context.state.accounts.has(address)) {
    throw new OperationError("notFound", `${address}: there is no such account`);
  }
  return address;
}
