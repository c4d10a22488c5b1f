/** The proofs of http-01 (RFC 8555 §8.3): held in RAM while an order is under way, served by our own port 80. */
import type { AcmeProof, ProofPlace } from "./acme-order.ts";
import { canonicalName } from "./material.ts";

export class HttpProofs implements ProofPlace {
  readonly #shown = new Map<string, string>();

  async show(proofs: readonly AcmeProof[]): Promise<void> {
    for (const proof of proofs) this.#shown.set(keyOf(proof.name, proof.token), proof.value);
  }

  async remove(proofs: readonly AcmeProof[]): Promise<void> {
    for (const proof of proofs) this.#shown.delete(keyOf(proof.name, proof.token));
  }

  /**
   * @param host the `Host` of the request, as sent: it must name what the proof is for, or any site of ours would
   *   vouch for any other
   */
  answer(host: string, token: string): string | undefined {
    return this.#shown.get(keyOf(hostName(host), token));
  }
}

const keyOf = (name: string, token: string): string => `${canonicalName(name)} ${token}`;

/** Without port and brackets. */
function hostName(host: string): string {
  const [, literal] = /^\[([^\]]*)\](?::\d+)?$/.exec(host) ?? [];
  return literal ?? host.replace(/:\d+$/, "").replace(/\.$/, "");
}
