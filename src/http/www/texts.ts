/**
 * Every sentence of the site, in one shape for all languages. No markup here; names of links and programs stay as
 * they are. What is promised must hold for this program: look it up before changing a sentence.
 */
import type { Language } from "./languages.ts";

/** A heading with paragraphs and, after them, a list. */
export interface Section {
  title: string;
  text: readonly string[];
  list?: readonly string[];
}

/** A page that is words alone. */
export interface Prose {
  title: string;
  lead: string;
  sections: readonly Section[];
}

export interface Texts {
  language: Language;
  dir: "ltr" | "rtl";
  /** The language's name in itself. */
  ownName: string;
  units: { mega: string; giga: string };
  frame: {
    skip: string;
    pages: string;
    language: string;
    home: string;
    info: string;
    privacy: string;
    security: string;
    docs: string;
    deploy: string;
    share: string;
    software: string;
  };
  home: {
    title: string;
    lead: string;
    button: string;
    /** While the form is on its way. */
    busy: string;
    scan: string;
    qrLabel: string;
    copyLink: string;
    copied: string;
    notOpened: string;
    steps: readonly { title: string; text: string }[];
    getApp: string;
    getAppLead: string;
    otherSystems: string;
    promises: readonly { title: string; text: string }[];
    sizeFact(size: string): string;
    quotaFact(size: string): string;
    retentionFact(days: string): string;
    factsTitle: string;
    moreFacts: string;
  };
  token: { title: string; lead: string; label: string; button: string };
  invited: string;
  closed: { title: string; lead: string };
  account: {
    title: string;
    lead: string;
    button: string;
    scan: string;
    qrLabel: string;
    copyLink: string;
    copy: string;
    details: string;
    address: string;
    password: string;
    keep: string;
    certificate: string;
  };
  proxy: { title: string; lead: string; button: string; qrLabel: string };
  info: {
    title: string;
    lead: string;
    domain: string;
    registration: string;
    registrationState: Record<"open" | "tokenRequired" | "closed", string>;
    messageSize: string;
    quota: string;
    unlimited: string;
    retention: string;
    untilFetched: string;
    days(days: string): string;
    encryption: string;
    encryptionOnly: string;
    certificate: string;
    trusted: string;
    ownCertificate: string;
    serversTitle: string;
    serversLead: string;
  };
  servers: {
    service: string;
    host: string;
    port: string;
    security: string;
    incoming: string;
    outgoing: string;
    user: string;
  };
  privacy: Prose;
  security: Prose & { report: string };
  docs: Prose & { otherTitle: string; other: readonly string[]; plainAccount: string };
  deploy: Prose & { downloadTitle: string; downloadLead: string; downloadLink: string };
  share: {
    title: string;
    lead: string;
    link: string;
    linkHint: string;
    name: string;
    slug: string;
    slugHint: string;
    button: string;
    doneTitle: string;
    doneLead: string;
    open: string;
    openLead: string;
    qrLabel: string;
    verify: string;
    refusals: Record<ShareRefusal, string>;
  };
  back: string;
  notFound: Said;
  method: Said;
  fault: Said;
  refusedTitle: string;
  refusals: Record<NewAccountRefusal, string>;
}

/** A page that says one thing. */
export interface Said {
  title: string;
  lead: string;
}

/** Why `/new` gave no account. */
export type NewAccountRefusal =
  | "closed"
  | "tokenRequired"
  | "tokenUnknown"
  | "tokenExpired"
  | "tokenUsedUp"
  | "unavailable"
  | "tooMany"
  | "badRequest"
  | "tooBig"
  | "methodNotAllowed";

/** Why a contact was not shared. */
export type ShareRefusal =
  | "badLink"
  | "badName"
  | "badSlug"
  | "reserved"
  | "taken"
  | "tooMany"
  | "badRequest";
