/** What this room uses of dns-packet, which brings no types. */
declare module "dns-packet" {
  interface DecodedPacket {
    flag_tc: boolean;
    rcode: string;
    questions: { name: string; type: string; class: string }[];
    answers: { name: string; type: string; ttl?: number; class?: string; data?: unknown }[];
    authorities: { name: string; type: string; ttl?: number; data?: unknown }[];
  }
  export function encode(packet: {
    type: "query" | "response";
    id: number;
    flags: number;
    questions: readonly { name: string; type: string }[];
    answers?: readonly object[];
    authorities?: readonly object[];
    additionals?: readonly object[];
  }): Buffer;
  export function decode(bytes: Buffer): DecodedPacket;
}
