/**
 * What the echo says to what it hears: SecureJoin as the side that invites, and text back. Everything else is met with
 * silence; above all whatever a program sent by itself, so that no two of them ever talk without end.
 */
import { timingSafeEqual } from "node:crypto";
import { fingerprintOf } from "../openpgp/identity.ts";
import type { Fields, Incoming } from "./incoming.ts";
import type { Invitation } from "./own-key.ts";

/** Of the text that goes back: an echo is no way to make mail larger. */
const TEXT_MAX_CHARS = 4000;
const FILES_MAX = 5;

/** Of what people write; programs, groups, receipts, reactions and the like have at least one. */
const SILENT_FIELDS = [
  "auto-submitted",
  "list-id",
  "list-post",
  "precedence",
  "chat-group-id",
  "chat-list-id",
  "chat-delete",
  "chat-edit",
  "chat-is-post-message",
  "iroh-node-addr",
  "iroh-gossip-topic",
  "autocrypt-setup-message",
];
/** What Delta Chat sends by itself in a chat says here what it is; a sticker is from a person. */
const CONTENT_OF_PEOPLE = new Set(["", "sticker"]);

export interface Answer {
  fields: [name: string, value: string][];
  text: string;
}

/** Whether a header alone says that no answer is wanted. Looked at before anything is decrypted, and inside again. */
export function isAutomatic(fields: Fields): boolean {
  const type = (fields.get("content-type") ?? "").toLowerCase();
  return (
    SILENT_FIELDS.some((name) => fields.has(name)) ||
    type.startsWith("multipart/report") ||
    /^(mailer-daemon|postmaster|mail-daemon)@/i.test(fields.get("from")?.replace(/^.*</, "") ?? "")
  );
}

/** @returns undefined where silence is the answer */
export function answerTo(incoming: Incoming, own: Invitation, relay: string): Answer | undefined {
  const { fields, isEncrypted } = incoming;
  if (isAutomatic(fields)) return undefined;
  const step = fields.get("secure-join")?.toLowerCase();
  if (step !== undefined) return joinAnswer(step, incoming, own);
  if (!isEncrypted || !isFromPerson(incoming)) return undefined;
  // A chat whose messages vanish keeps its timer.
  const timer = fields.get("ephemeral-timer");
  const kept = timer !== undefined && /^\d{1,10}$/.test(timer) ? timer : undefined;
  return {
    fields: [
      ["Auto-Submitted", "auto-generated"],
      ...(kept === undefined ? [] : [["Ephemeral-Timer", kept] as [string, string]]),
    ],
    text: echoed(incoming, relay),
  };
}

/** One side of https://securejoin.readthedocs.io: who shows the code. */
function joinAnswer(
  step: string,
  { fields, key, isEncrypted }: Incoming,
  own: Invitation,
): Answer | undefined {
  if (step === "vc-request" && isSame(fields.get("secure-join-invitenumber"), own.invitation)) {
    return joinStep("vc-auth-required");
  }
  const isProven =
    isEncrypted &&
    isSame(fields.get("secure-join-auth"), own.auth) &&
    fields.get("secure-join-fingerprint")?.toUpperCase() === fingerprintOf(key);
  return step === "vc-request-with-auth" && isProven ? joinStep("vc-contact-confirm") : undefined;
}

function joinStep(step: string): Answer {
  return { fields: [["Secure-Join", step]], text: `Secure-Join: ${step}` };
}

function isSame(given: string | undefined, wanted: string): boolean {
  const [a, b] = [Buffer.from(given ?? ""), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function isFromPerson({ fields, text, files }: Incoming): boolean {
  return (
    CONTENT_OF_PEOPLE.has((fields.get("chat-content") ?? "").toLowerCase()) &&
    !(fields.get("content-disposition") ?? "").toLowerCase().startsWith("reaction") &&
    !files.some((name) => name === "status-update.json" || name === "multi-device-sync.json") &&
    (text !== "" || files.length > 0)
  );
}

function echoed({ text, files }: Incoming, relay: string): string {
  const cut = text.slice(0, TEXT_MAX_CHARS);
  const named = files.slice(0, FILES_MAX).map((name) => `[${name === "" ? "file" : name}]`);
  const hint = `(Echo of ${relay}: your message came through encrypted and signed, and so did this answer.)`;
  return [...named, cut, "", hint].filter((line, index) => line !== "" || index > named.length).join("\n");
}
