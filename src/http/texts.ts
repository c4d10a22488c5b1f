/** Every sentence of the site, in one place for translators. No markup here. */

export interface Texts {
  /** BCP 47 tag for `lang`. */
  lang: string;
  dir: "ltr" | "rtl";
  tagline: string;
  joinTitle: string;
  joinLead: string;
  joinButton: string;
  openButton: string;
  scanHint: string;
  qrLabel: string;
  getClient: string;
  getClientLink: string;
  tokenTitle: string;
  tokenLead: string;
  tokenLabel: string;
  tokenButton: string;
  closedTitle: string;
  closedLead: string;
  readyTitle: string;
  readyLead: string;
  addressLabel: string;
  passwordLabel: string;
  keepHint: string;
  certificateHint: string;
  proxyTitle: string;
  proxyLead: string;
  proxyButton: string;
  proxyQrLabel: string;
  aboutTitle: string;
  aboutEncrypted: string;
  aboutAnonymous: string;
  aboutSize(size: string): string;
  aboutQuota(size: string): string;
  back: string;
  notFoundTitle: string;
  notFoundLead: string;
  methodTitle: string;
  methodLead: string;
  faultTitle: string;
  faultLead: string;
  refusedTitle: string;
  refusals: Record<NewAccountRefusal, string>;
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

export const english: Texts = {
  lang: "en",
  dir: "ltr",
  tagline: "A chatmail relay: fast, private messaging with Delta Chat and other chatmail apps.",
  joinTitle: "Get an account",
  joinLead: "No phone number, no email address, no name. One tap makes an account, and you can chat.",
  joinButton: "Create an account",
  openButton: "Open in the app",
  scanHint: "Or scan this code with the app on your phone.",
  qrLabel: "QR code for a new account on this relay",
  getClient: "No app yet?",
  getClientLink: "Get Delta Chat for phone or computer",
  tokenTitle: "Got an invitation?",
  tokenLead: "This relay gives accounts to invited people. Enter the token that you were given.",
  tokenLabel: "Invitation token",
  tokenButton: "Continue",
  closedTitle: "Registration is closed",
  closedLead: "This relay gives no new accounts at the moment. Accounts that exist work as always.",
  readyTitle: "Your account is ready",
  readyLead: "Open it in the app, or scan the code with the app on your phone.",
  addressLabel: "Address",
  passwordLabel: "Password",
  keepHint: "This page is shown once. Whoever has this link or code has the account: share it with nobody.",
  certificateHint:
    "This relay's certificate is its own, so the link tells the app to accept it. Messages are end-to-end encrypted either way.",
  proxyTitle: "Blocked where you are?",
  proxyLead:
    "If your network does not let you reach this relay, add this proxy in the app: open the link there, or scan the code.",
  proxyButton: "Use the proxy",
  proxyQrLabel: "QR code of the proxy to this relay",
  aboutTitle: "What this relay is",
  aboutEncrypted:
    "It carries end-to-end encrypted messages only. Nobody here can read them, and plain mail is refused.",
  aboutAnonymous: "It asks for no personal data and writes no log of who talks to whom.",
  aboutSize: (size) => `One message may be up to ${size}, its attachments included.`,
  aboutQuota: (size) => `Up to ${size} wait for you here until your devices have fetched them.`,
  back: "Back to the start page",
  notFoundTitle: "There is nothing here",
  notFoundLead: "The address may be mistyped, or the page is gone.",
  methodTitle: "That does not work here",
  methodLead: "This address can't be used in that way.",
  faultTitle: "Something went wrong here",
  faultLead: "Please try again in a moment.",
  refusedTitle: "No account this time",
  refusals: {
    closed: "Registration is closed",
    tokenRequired: "Registration token is required",
    tokenUnknown: "Invalid registration token: registration token not found",
    tokenExpired: "Invalid registration token: registration token has expired",
    tokenUsedUp: "Invalid registration token: registration token has been fully used",
    unavailable: "No account can be made right now, please try again later",
    tooMany: "Too many accounts from your network, please wait a little",
    badRequest: "The request can't be understood",
    tooBig: "The request is too large",
    methodNotAllowed: "Use POST to create an account",
  },
};
