/**
 * Long-term credentials (RFC 8489 §9.2): who signed a request, and what others are told. Nothing is kept about clients
 * that have not signed: the nonce proves itself.
 */
import { fromLatin1, fromUtf8, toUtf8 } from "../../core/bytes.ts";
import type { UserBook } from "./actions.ts";
import { NONCE_LIFETIME_MS, USERNAME_MAX_BYTES } from "./limits.ts";
import { attributeOf, attributes, integrityHolds, type StunCrypto, type StunMessage } from "./stun.ts";

/** Base 36; enough for a century of seconds. */
const NONCE_TIME_LENGTH = 7;
/** Bytes of the code, twice as many characters. */
const NONCE_CODE_BYTES = 8;

export type AccessVerdict =
  | { do: "accept"; username: string; key: Uint8Array }
  /** `challenge`: the answer carries realm and nonce. Refusals are not signed. */
  | { do: "refuse"; status: 400 | 401 | 438; challenge: boolean };

export class Access {
  readonly #crypto: StunCrypto;
  readonly #users: UserBook;
  readonly #nonceKey: Uint8Array;

  /** @param nonceKey random, at least 16 bytes */
  constructor(crypto: StunCrypto, users: UserBook, nonceKey: Uint8Array) {
    this.#crypto = crypto;
    this.#users = users;
    this.#nonceKey = nonceKey;
  }

  /** @param graceSeconds how long ago the credentials may have run out */
  judge(
    message: StunMessage,
    realm: string,
    address: string,
    graceSeconds: number,
    nowMs: number,
  ): AccessVerdict {
    if (message.integrity === undefined) return challenge(401);
    const username = attributeOf(message, attributes.username);
    const givenRealm = attributeOf(message, attributes.realm);
    const nonce = attributeOf(message, attributes.nonce);
    if (username === undefined || givenRealm === undefined || nonce === undefined) {
      return { do: "refuse", status: 400, challenge: false };
    }
    if (!this.#isFresh(toUtf8(nonce), address, nowMs)) return challenge(438);
    if (username.length > USERNAME_MAX_BYTES || toUtf8(givenRealm) !== realm) return challenge(401);
    const name = toUtf8(username);
    for (const password of this.#users.passwordsOf(name, graceSeconds)) {
      const key = this.#crypto.md5(fromUtf8(`${name}:${realm}:${password}`));
      if (integrityHolds(message, key, this.#crypto)) return { do: "accept", username: name, key };
    }
    return challenge(401);
  }

  /** Holds for this address only. Does not begin with `obMatJos2`, which would promise RFC 8489's features. */
  nonce(address: string, nowMs: number): string {
    const time = Math.floor(nowMs / 1000)
      .toString(36)
      .padStart(NONCE_TIME_LENGTH, "0");
    return time + this.#code(time, address);
  }

  #isFresh(nonce: string, address: string, nowMs: number): boolean {
    const time = nonce.slice(0, NONCE_TIME_LENGTH);
    if (!/^[0-9a-z]{7}$/.test(time) || nonce.slice(NONCE_TIME_LENGTH) !== this.#code(time, address))
      return false;
    return nowMs - Number.parseInt(time, 36) * 1000 <= NONCE_LIFETIME_MS;
  }

  #code(time: string, address: string): string {
    const sum = this.#crypto.hmacSha1(this.#nonceKey, fromLatin1(`${time} ${address}`));
    return Array.from(sum.subarray(0, NONCE_CODE_BYTES), (byte) => byte.toString(16).padStart(2, "0")).join(
      "",
    );
  }
}

function challenge(status: 401 | 438): AccessVerdict {
  return { do: "refuse", status, challenge: true };
}
